namespace Groundcrew.Contract.Manifest;

/// <summary>What may stand after a key.</summary>
internal enum KeyKind
{
    Name,
    Line,
    Command,
    Image,
    UrlPath,
    PackagePaths,
    Globs,
    Duration,
    Count,
    Cpu,
    Memory,
    Instances,
    Probe,
    Choice,
    Variables,
    SecretNames,
    Domains,
    Section,
    Services,
    Environments,
    Percent,
    Size,
    Flag,
    Networks,
    Header,
    HeaderPatterns,
    Cookie,
    Methods,
    Limits,
    Concurrency,
    CacheRules,
    PathPattern,
    Compression,
    MediaTypes,
    Metrics,
    Databases,
    DatabaseNames,
    Identifier,
    Identifiers,
    Extensions,
    Storage,
    Endpoint,
    SecretName,
    Schedules,
    Cron,
    Zone,
    Template,
    Checks,
    Sql,
}

/// <summary>
/// Makes a property a key of the manifest and says all there is to say about it, once: the reader, the JSON schema and
/// the reference page are made from it. The default is the property's own.
/// </summary>
/// <param name="kind">What may stand after the key.</param>
/// <param name="says">What the key means, in Markdown. Begins with the words of the property's doc comment.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class KeyAttribute(KeyKind kind, string says) : Attribute
{
    public KeyKind Kind { get; } = kind;

    public string Says { get; } = says;

    /// <summary>The key, where it is not the property's name in camelCase.</summary>
    public string? Name { get; init; }

    /// <summary>Another word for the same key, from a guide.</summary>
    public string? Alias { get; init; }

    public bool Required { get; init; }

    /// <summary>The range of a quantity, in the manifest's own units; both ends belong to it.</summary>
    public string? Min { get; init; }

    /// <inheritdoc cref="Min"/>
    public string? Max { get; init; }

    /// <summary>YAML of one line for the reference page. A section without one shows its keys.</summary>
    public string? Example { get; init; }

    /// <summary>The name that the reference page gives to the one entry of a map of sections.</summary>
    public string? ExampleName { get; init; }

    /// <summary>What holds without the key, where its default does not say so.</summary>
    public string? LeftOut { get; init; }

    /// <summary>The keys that this one excludes; the reference page shows it as a comment.</summary>
    public string? InsteadOf { get; init; }
}
