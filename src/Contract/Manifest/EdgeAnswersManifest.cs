namespace Groundcrew.Contract.Manifest;

/// <summary>How long answers of some paths may be kept by caches. Immutable.</summary>
public sealed record EdgeCacheManifest
{
    /// <summary>Which paths.</summary>
    [Key(KeyKind.PathPattern, "Which paths: one whole, or with a `*` at its end for any rest.", Required = true, Example = "/assets/*")]
    public required string Path { get; init; }

    /// <summary>How long an answer may be used again without asking.</summary>
    [Key(KeyKind.Duration, "How long an answer may be used again without asking (`max-age`). `0s` asks each time.", Required = true, Min = "0s", Max = "3650d", Example = "365d")]
    public required TimeSpan MaxAge { get; init; }

    /// <summary>The same for caches that many share.</summary>
    [Key(KeyKind.Duration, "The same for caches that many share, such as a CDN (`s-maxage`).", Name = "sMaxAge", Min = "0s", Max = "3650d", Example = "365d", LeftOut = "as `maxAge`")]
    public TimeSpan? SharedMaxAge { get; init; }

    /// <summary>Who may keep it.</summary>
    [Key(KeyKind.Choice, "Who may keep it: `public` is everybody, also where the request said who asks; `private` is the client alone. A `private` rule has no `sMaxAge`.",
        Name = "for", Example = "public", LeftOut = "not said: shared caches decide by the request")]
    public EdgeCacheFor? For { get; init; }

    /// <summary>Whether what stands there never changes.</summary>
    [Key(KeyKind.Flag, "Whether what stands there never changes, so that even a reload does not ask (RFC 8246).", Example = "true")]
    public bool Immutable { get; init; }
}

/// <summary>Who may keep an answer.</summary>
public enum EdgeCacheFor
{
    /// <summary>Everybody.</summary>
    Public,

    /// <summary>The client alone.</summary>
    Private,
}

/// <summary>Compression of answers. Immutable.</summary>
public sealed record EdgeCompressionManifest
{
    /// <summary>Whether answers are compressed.</summary>
    [Key(KeyKind.Flag, "Whether answers are compressed.", Required = true, Example = "true")]
    public required bool Enabled { get; init; }

    /// <summary>The types that are compressed.</summary>
    [Key(KeyKind.MediaTypes, "The types that are compressed: whole, `text/*`, or `*+json` for any that ends so. Server-sent events never are.", Example = "[text/*, application/json]",
        LeftOut = "text, JSON, XML, JavaScript, SVG, fonts without compression of their own, WebAssembly")]
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>Answers that say that they are smaller stay as they are.</summary>
    [Key(KeyKind.Size, "Answers that say that they are smaller stay as they are.", Name = "minSize", Min = "1B", Max = "1GB", Example = "1Ki")]
    public long MinBytes { get; init; } = 1024;
}
