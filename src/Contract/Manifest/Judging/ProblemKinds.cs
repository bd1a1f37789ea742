using System.Reflection;

namespace Groundcrew.Contract.Manifest;

/// <summary>A kind of problem: its stable code, what it means, and the fix that holds where the finder knows no closer one.</summary>
internal sealed record ProblemKind(string Code, string Means, string Fix);

/// <summary>Every kind of problem that a manifest can have. The reference page lists them from here.</summary>
internal static class ProblemKinds
{
    public static ProblemKind FileTooLarge { get; } = new("file-too-large",
        $"The file is larger than {ManifestReader.MaxBytes / 1024} KiB.", "Take out what is not a setting.");

    public static ProblemKind EmptyManifest { get; } = new("empty-manifest",
        "The file is empty or holds only comments.", "Begin with 'system:' and 'services:'.");

    public static ProblemKind YamlSyntax { get; } = new("yaml-syntax",
        "The text is no YAML. Other problems show after it is mended.", "Look at this line and the one above: indentation, brackets, quotes, colons.");

    public static ProblemKind TabIndent { get; } = new("tab-indent",
        "YAML is indented with spaces only.", "Use spaces.");

    public static ProblemKind YamlAnchor { get; } = new("yaml-anchor",
        "Anchors (`&name`) are not part of the manifest.", "Remove the mark; write values out where they are needed.");

    public static ProblemKind YamlAlias { get; } = new("yaml-alias",
        "Aliases (`*name`) are not part of the manifest.", "Write the value out; in quotes if the '*' belongs to it.");

    public static ProblemKind YamlTag { get; } = new("yaml-tag",
        "Tags (`!name`) are not part of the manifest.", "Remove the tag; put the value in quotes if the '!' belongs to it.");

    public static ProblemKind ManyDocuments { get; } = new("many-documents",
        "A manifest is one YAML document.", "Remove the '---' and what follows, or make it a file of its own.");

    public static ProblemKind TooDeep { get; } = new("too-deep",
        "Values are nested deeper than any manifest needs.", "Look for brackets that are not closed or lines indented too far.");

    public static ProblemKind KeyNotText { get; } = new("key-not-text",
        "A key is a map or a list.", "Put keys that begin with '{' or '[' in quotes.");

    public static ProblemKind DuplicateKey { get; } = new("duplicate-key",
        "The same key, or two words for it, stands twice; two services or two limits have one name.", "Keep one of the two.");

    public static ProblemKind UnknownKey { get; } = new("unknown-key",
        "The manifest does not know the key.", "Correct its spelling, or remove it.");

    public static ProblemKind MissingKey { get; } = new("missing-key",
        "A required key is not there.", "Add it.");

    public static ProblemKind NoValue { get; } = new("no-value",
        "Nothing stands after the key.", "Give a value, or remove the key; an empty text is written \"\".");

    public static ProblemKind WrongType { get; } = new("wrong-type",
        "A map, a list or a single value stands where another is wanted.", "Write it as the reference shows.");

    public static ProblemKind BadName { get; } = new("bad-name",
        "A name of a system, service, environment, region or secret breaks the rules of names.", "Use 1 to 40 characters of a-z, 0-9 and '-', with a letter or digit at both ends.");

    public static ProblemKind LabelTooLong { get; } = new("label-too-long",
        "The names together are too long for the host names of deployments (RFC 1035: 63 bytes a label).", "Shorten the name of the service, the system or the environment.");

    public static ProblemKind BadDuration { get; } = new("bad-duration",
        "A duration has no unit, an unknown one, or is no number.", "Write a number and a unit: 500ms, 15s, 10m, 2h, 7d.");

    public static ProblemKind BadCount { get; } = new("bad-count",
        "A count is no whole number.", "Write digits only.");

    public static ProblemKind BadCpu { get; } = new("bad-cpu",
        "A share of processors cannot be read.", "Write thousandths as 500m, or processors as 2 or 0.5.");

    public static ProblemKind BadMemory { get; } = new("bad-memory",
        "A memory size cannot be read.", "Write 256Mi, 1Gi, 512M, 1G, or a bare number of megabytes.");

    public static ProblemKind OutOfRange { get; } = new("out-of-range",
        "A quantity is smaller or larger than is allowed.", "Choose a value within the range.");

    public static ProblemKind UnknownChoice { get; } = new("unknown-choice",
        "The value is none of those that may stand here.", "Use one of those that the reference names.");

    public static ProblemKind BadLine { get; } = new("bad-line",
        "A line for the shell is empty, holds a line break or a NUL.", "Write one line; join commands with '&&'.");

    public static ProblemKind BadCommand { get; } = new("bad-command",
        "A command has no words, no program, a NUL, or a '${' that is not closed.", "Write a line such as ./hello, or words such as [./hello, \"--port\", \"${PORT}\"].");

    public static ProblemKind BadUrlPath { get; } = new("bad-url-path",
        "A probe's path is not one.", "Write a path that begins with '/', such as /health/ready.");

    public static ProblemKind BadPackagePath { get; } = new("bad-package-path",
        "A packaged path is empty, absolute, or leaves the manifest's folder.", "Write a path inside the manifest's folder, such as out.");

    public static ProblemKind BadGlob { get; } = new("bad-glob",
        "A pattern is empty, absolute, or leaves the manifest's folder.", "Write a pattern such as *.log, obj/ or docs/**/*.md.");

    public static ProblemKind BadImage { get; } = new("bad-image",
        "An image reference is not one.", "Write registry/name:tag or registry/name@sha256:digest, in lower case up to the tag.");

    public static ProblemKind ImageAndPackage { get; } = new("image-and-package",
        "A service has an image, and also what only a packaged one has.", "Keep either the image, or build, package, exclude and run.");

    public static ProblemKind NeverReady { get; } = new("never-ready",
        "The first probe comes at or after the deadline, so no deployment could succeed.", "Make the deadline longer, or the initial delay shorter.");

    public static ProblemKind BadVariable { get; } = new("bad-variable",
        "A variable's name is not one.", "Use letters, digits and '_', not beginning with a digit.");

    public static ProblemKind ReservedVariable { get; } = new("reserved-variable",
        "The platform sets this variable itself: PORT, HOST, HOME, TMPDIR, DEPLOYMENT, PROJECT, ORG, ENVIRONMENT, REGION, INSTANCE_… and GROUNDCREW_….", "Choose another name.");

    public static ProblemKind BadValue { get; } = new("bad-value",
        "A variable's value cannot be given to a program.", "Remove NUL characters; keep a large text in a file of the package.");

    public static ProblemKind VariableTwice { get; } = new("variable-twice",
        "A variable stands in two of `environment`, `secrets` and `databases`.", "Keep it in one of them.");

    public static ProblemKind BadDomain { get; } = new("bad-domain",
        "A domain is not one.", "Write a full name in lower case, without scheme, port or path, such as app.acme.org.");

    public static ProblemKind DomainTwice { get; } = new("domain-twice",
        "A domain leads to two places.", "Keep it at one service and one environment.");

    public static ProblemKind BadPercent { get; } = new("bad-percent",
        "A share in percent cannot be read.", "Write a whole number and '%': 20%.");

    public static ProblemKind BadSize { get; } = new("bad-size",
        "A size cannot be read, or has no unit.", "Write a number and a unit: 512KB, 20MB, 1Gi.");

    public static ProblemKind BadHeader { get; } = new("bad-header",
        "The name of a header is not one (RFC 9110, section 5.6.2), or a header is to be stripped that requests need.", "Write a name such as X-Api-Key; where headers are stripped, also X-Auth-*.");

    public static ProblemKind BadCookie { get; } = new("bad-cookie",
        "The name of a cookie is not one (RFC 6265, section 4.1.1).", "Write a name such as crew_v.");

    public static ProblemKind BadMethod { get; } = new("bad-method",
        "A method is not one.", "Write methods as requests have them: GET, POST.");

    public static ProblemKind BadNetwork { get; } = new("bad-network",
        "A network cannot be read.", "Write an address and the length of its prefix, such as 10.0.0.0/8 or 2001:db8::/32, or one address.");

    public static ProblemKind LimitHeader { get; } = new("limit-header",
        "A limit names a header, and counts by something else.", "Write 'by: header', or remove the header.");

    public static ProblemKind BadMediaType { get; } = new("bad-media-type",
        "A media type cannot be read.", "Write a type such as text/html, text/* for all of a kind, or *+json for all that end so.");

    public static ProblemKind PrivateShared { get; } = new("private-shared",
        "Answers are for the client alone, and a time for shared caches is named.", "Remove 'sMaxAge', or write 'for: public'.");

    public static ProblemKind BadIdentifier { get; } = new("bad-identifier",
        "The name of a database or an extension is not one that PostgreSQL takes here.", "Write a-z, 0-9 and '_', with a letter first.");

    public static ProblemKind BadStorage { get; } = new("bad-storage",
        "A place for backups cannot be read.", "Write a folder's whole path, such as /srv/backups, or a bucket, such as s3://bucket/prefix.");

    public static ProblemKind BadSchedule { get; } = new("bad-schedule",
        "A schedule's time, zone or template cannot be read.", "Write minute, hour, day, month and weekday ('0 2 * * *'), a zone such as Europe/Berlin, and templates with YYYYMMDD and HHMMSS.");

    public static ProblemKind BadSql { get; } = new("bad-sql",
        "A check's statement is empty or too long.", "Write one statement whose first column is true when all is well.");

    public static ProblemKind UnknownDatabase { get; } = new("unknown-database",
        "A schedule or a check names a database that the cluster does not have.", "Name one of 'databases', or leave it out for the first.");

    /// <summary>All, by code.</summary>
    public static IReadOnlyList<ProblemKind> All { get; } =
    [
        .. typeof(ProblemKinds).GetProperties(BindingFlags.Public | BindingFlags.Static)
            .Where(property => property.PropertyType == typeof(ProblemKind))
            .Select(property => (ProblemKind)property.GetValue(null)!)
            .OrderBy(kind => kind.Code, StringComparer.Ordinal),
    ];
}
