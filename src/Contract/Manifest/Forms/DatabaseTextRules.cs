using System.Text.RegularExpressions;

namespace Groundcrew.Contract.Manifest;

/// <summary>The rules for the texts of <c>databases</c>. What they let pass, the control plane looks at once more.</summary>
internal static partial class DatabaseTextRules
{
    private const int MaxIdentifier = 56;
    private const int MaxSql = 10_000;

    public static TextRule Identifier { get; } = new(ProblemKinds.BadIdentifier, "a name for PostgreSQL",
        text => text.Length > MaxIdentifier ? $"it has {text.Length} characters; {MaxIdentifier} is the most"
            : text is "postgres" or "template0" or "template1" || text.StartsWith("pg_", StringComparison.Ordinal) || text.StartsWith("crew_", StringComparison.Ordinal)
                ? "it belongs to PostgreSQL or to the platform"
            : IdentifierPattern().IsMatch(text) ? null : "only a-z, 0-9 and '_' may stand in it, with a letter first",
        "^[a-z][a-z0-9_]{0,55}$");

    public static TextRule Extension { get; } = new(ProblemKinds.BadIdentifier, "the name of an extension",
        text => ExtensionPattern().IsMatch(text) ? null : "only a-z, 0-9, '_' and '-' may stand in it, with a letter first", "^[a-z][a-z0-9_-]{0,62}$");

    public static TextRule Storage { get; } = new(ProblemKinds.BadStorage, "a place for backups",
        text => text.StartsWith('/') && text.Length > 1 && !text.Contains("..", StringComparison.Ordinal) ? null
            : text.StartsWith("s3://", StringComparison.Ordinal) && Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Host.Length > 0 && url.UserInfo.Length == 0 ? null
            : "it is neither a whole path nor a bucket",
        "^(/|s3://)[^ ]+$");

    public static TextRule Endpoint { get; } = new(ProblemKinds.BadStorage, "the address of a storage",
        text => Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.UserInfo.Length == 0 ? null : "it is not of the form https://host:port", "^https?://[^ ]+$");

    public static TextRule Cron { get; } = new(ProblemKinds.BadSchedule, "a schedule",
        text => CronPattern().IsMatch(text) ? null : "it has not the five fields minute, hour, day, month and weekday", "^[0-9A-Za-z*,/-]+( [0-9A-Za-z*,/-]+){4}$");

    public static TextRule Zone { get; } = new(ProblemKinds.BadSchedule, "a time zone",
        text => ZonePattern().IsMatch(text) ? null : "it is not of the form Europe/Berlin", "^[A-Za-z][A-Za-z0-9_+/-]*$");

    public static TextRule Template { get; } = new(ProblemKinds.BadSchedule, "a template for the names of dumps",
        text => (text.Contains("YYYYMMDD", StringComparison.Ordinal) || text.Contains("{date}", StringComparison.Ordinal))
            && (text.Contains("HHMMSS", StringComparison.Ordinal) || text.Contains("{time}", StringComparison.Ordinal)) ? null : "it has no date or no time, so that two dumps would have one name",
        "(YYYYMMDD|\\{date\\})");

    public static TextRule Sql { get; } = new(ProblemKinds.BadSql, "a statement, or words about it",
        text => string.IsNullOrWhiteSpace(text) ? "it is empty" : text.Length > MaxSql ? $"it has {text.Length} characters; {MaxSql} is the most" : null, Pattern: null);

    [GeneratedRegex(@"^[a-z][a-z0-9_]*\z")]
    private static partial Regex IdentifierPattern();

    [GeneratedRegex(@"^[a-z][a-z0-9_-]{0,62}\z")]
    private static partial Regex ExtensionPattern();

    [GeneratedRegex(@"^[0-9A-Za-z*,/-]+(?: +[0-9A-Za-z*,/-]+){4}\z")]
    private static partial Regex CronPattern();

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_+/-]{0,63}\z")]
    private static partial Regex ZonePattern();
}
