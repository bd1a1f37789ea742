using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>Judges what a database is asked to be: pure, and every problem at once.</summary>
internal static partial class DatabaseRules
{
    /// <summary>With a turn behind it, a name must stay within PostgreSQL's 63 bytes.</summary>
    private const int MaxIdentifier = 56;

    private const int MostDatabases = 100;
    private const int MostLogins = 100;
    private const long LeastMemory = ClusterSettings.LeastMemory;

    /// <summary>The settings with what a name alone decides filled in.</summary>
    public static DatabaseSettings Filled(string name, DatabaseSettings settings)
    {
        if (name.Length == 0)
            return settings;
        var identifier = ClusterPlanning.IdentifierOf(name);
        return settings with
        {
            Owner = settings.Owner.Length == 0 ? $"{identifier}_owner" : settings.Owner,
            Databases = settings.Databases.Count == 0 ? [new WantedDatabase(identifier, [])] : settings.Databases,
            Logins = settings.Logins.Count == 0 ? [new DatabaseLogin(identifier, [])] : settings.Logins,
        };
    }

    public static void Judge(DatabaseSettings settings, ProblemList problems)
    {
        if (settings.Version is < 13 or > 18)
            problems.Add("bad-version", "version", $"PostgreSQL {settings.Version} is not run here.", "Use 13 to 18; which of them a node has depends on what is installed there.");
        if (settings.MemoryBytes < LeastMemory)
            problems.Add("out-of-range", "memory", $"{Quantity.FormatBytes(settings.MemoryBytes)} of memory are too little.", $"Use {Quantity.FormatBytes(LeastMemory)} or more.");
        if (settings.Standbys is < 0 or > 1)
            problems.Add("out-of-range", "standbys", $"{settings.Standbys} standbys are not run.", "Use 0 or 1.");
        problems.AddRange(ClusterSettings.Judge(settings.Parameters, Math.Max(settings.MemoryBytes, LeastMemory), "settings"));
        JudgeNames(settings, problems);
        JudgeAddresses(settings, problems);
        if (settings.Archive is { } archive)
            JudgeArchive(archive, problems);
        JudgeTimes(settings, problems);
    }

    public static void JudgeIdentifier(string path, string? name, ProblemList problems)
    {
        if (name is null || !Identifier().IsMatch(name) || name.Length > MaxIdentifier)
            problems.Add("bad-name", path, $"'{name}' is not a name for PostgreSQL here.", $"Use at most {MaxIdentifier} of a-z, 0-9 and '_', beginning with a letter.");
        else if (name is "postgres" or "template0" or "template1" || name.StartsWith("pg_", StringComparison.Ordinal) || name.StartsWith("crew_", StringComparison.Ordinal))
            problems.Add("bad-name", path, $"'{name}' belongs to PostgreSQL or to the platform.", "Choose another name.");
    }

    private static void JudgeNames(DatabaseSettings settings, ProblemList problems)
    {
        foreach (var (index, database) in settings.Databases.Index())
        {
            JudgeIdentifier($"databases[{index}]", database.Name, problems);
            foreach (var extension in database.Extensions.Where(e => !Extension().IsMatch(e)))
                problems.Add("bad-name", $"databases[{index}].extensions", $"'{extension}' is not the name of an extension.", "Use one such as pg_trgm or uuid-ossp.");
        }
        foreach (var (index, login) in settings.Logins.Index())
        {
            JudgeIdentifier($"logins[{index}]", login.Name, problems);
            foreach (var unknown in login.Databases.Where(d => settings.Databases.All(w => w.Name != d)))
                problems.Add("unknown-database", $"logins[{index}].databases", $"There is no database '{unknown}'.", $"Name one of: {string.Join(", ", settings.Databases.Select(d => d.Name))}.");
            if (login.ConnectionLimit is < 1 or > 10_000)
                problems.Add("out-of-range", $"logins[{index}].connections", $"{login.ConnectionLimit} is not a number of connections.", "Use 1 to 10000.");
        }
        if (settings.Databases.Count > MostDatabases || settings.Logins.Count > MostLogins)
            problems.Add("too-many", "databases", "There are too many databases or logins.", $"Use at most {MostDatabases} of each.");
        if (Twice(settings.Databases.Select(d => d.Name)) is { } database2)
            problems.Add("twice", "databases", $"The database '{database2}' stands there twice.", "Name it once.");
        if (Twice(settings.Logins.Select(l => l.Name)) is { } login2)
            problems.Add("twice", "logins", $"The login '{login2}' stands there twice.", "Name it once.");
    }

    private static void JudgeAddresses(DatabaseSettings settings, ProblemList problems)
    {
        foreach (var address in settings.Listen.Where(a => a != "*" && !IPAddress.TryParse(a, out _)))
            problems.Add("bad-address", "listen", $"'{address}' is not an address to listen on.", "Use an IP address of the node.");
        foreach (var network in settings.Networks.Where(n => !IPNetwork.TryParse(n, out _)))
            problems.Add("bad-network", "networks", $"'{network}' is not a network.", "Use one such as 10.0.0.0/8.");
    }

    private static void JudgeArchive(ArchiveSpec archive, ProblemList problems)
    {
        problems.AddRange(BackupStorages.Judge(archive.Storage).Problems.Select(p => p with { Path = p.Path == "url" ? "backups.to" : $"backups.{p.Path}" }));
        if (archive.FlushEvery < TimeSpan.FromSeconds(1) || archive.FlushEvery > TimeSpan.FromHours(1))
            problems.Add("out-of-range", "backups.every", $"{Quantity.Format(archive.FlushEvery)} is not how often the log is stored.", "Use 1s to 1h.");
    }

    private static void JudgeTimes(DatabaseSettings settings, ProblemList problems)
    {
        foreach (var (path, span) in new[]
        {
            ("retention.backups", settings.Retention.BaseFor), ("retention.dumps", settings.Retention.DumpsFor),
            ("objectives.rto", settings.Objectives.RecoveryTime), ("objectives.rpo", settings.Objectives.RecoveryPoint),
        })
            if (span is { } given && (given < TimeSpan.FromSeconds(path.EndsWith("rpo", StringComparison.Ordinal) ? 0 : 1) || given > TimeSpan.FromDays(36_500)))
                problems.Add("out-of-range", path, $"{Quantity.Format(given)} is out of range.", "Use a time such as 5m, 4h or 30d.");
        if (settings.Retention.BaseCount is < 1 || settings.Retention.DumpCount is < 1)
            problems.Add("out-of-range", "retention", "At least one backup is always kept.", "Use 1 or more.");
        foreach (var (index, check) in settings.Checks.Index())
            if (string.IsNullOrWhiteSpace(check.Sql) || check.Sql.Length > 10_000 || settings.Databases.All(d => d.Name != check.Database))
                problems.Add("bad-check", $"checks[{index}]", "A check names a database of the cluster and one statement.", "Its first column of its first row is true when all is well.");
    }

    private static string? Twice(IEnumerable<string> names) => names.GroupBy(n => n, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1)?.Key;

    /// <summary>The address of a database that somebody else runs; a problem when it is none.</summary>
    public static void JudgeExternal(Secret url, ProblemList problems)
    {
        if (!Uri.TryCreate(url.Reveal(), UriKind.Absolute, out var parsed) || parsed.Scheme is not ("postgres" or "postgresql") || parsed.Host.Length == 0 || parsed.AbsolutePath.Length < 2)
            problems.Add("bad-url", "url", "This is not the address of a PostgreSQL database.", "Use postgresql://user:password@host:5432/database.");
    }

    /// <summary>An address for libpq and what reads like it.</summary>
    public static string UrlOf(string role, Secret password, IReadOnlyList<(string Host, int Port)> servers, string database) => string.Create(
        CultureInfo.InvariantCulture,
        $"postgresql://{role}:{Uri.EscapeDataString(password.Reveal())}@{string.Join(',', servers.Select(s => $"{s.Host}:{s.Port}"))}/{database}{(servers.Count > 1 ? "?target_session_attrs=read-write" : "")}");

    [GeneratedRegex(@"^[a-z][a-z0-9_]*\z")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"^[a-z][a-z0-9_-]{0,62}\z")]
    private static partial Regex Extension();
}
