using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// The settings of a server: derived from the memory it may plan with, with a system's own before them (LO-57, LO-58). Pure;
/// used by the control plane to judge a manifest and by the node to run a server.
/// </summary>
internal static class ClusterSettings
{
    /// <summary>The preloaded library that every server has, for its ranked statements (T-45).</summary>
    public const string Statements = "pg_stat_statements";

    /// <summary>The name by which the archive's receiver confirms in RPO 0.</summary>
    public const string ArchiveName = "crew_archive";

    private const long Kilo = 1024;
    private const long Mega = 1024 * Kilo;
    private const long Giga = 1024 * Mega;
    private const int DefaultConnections = 100;
    private const int LargestName = 63;

    /// <summary>The least memory that a server can plan with.</summary>
    public const long LeastMemory = 64 * Mega;

    /// <summary>What is wrong with a system's own settings; empty when they can be used.</summary>
    /// <param name="own">The settings by name.</param>
    /// <param name="memoryBytes">The memory that the server may plan with.</param>
    /// <param name="path">Where they stand in the input.</param>
    public static IReadOnlyList<Problem> Judge(IReadOnlyDictionary<string, string> own, long memoryBytes, string path)
    {
        var problems = new ProblemList();
        foreach (var (name, value) in own.OrderBy(s => s.Key, StringComparer.Ordinal))
            JudgeOne(problems, $"{path}.{name}", name, value);
        if (own.TryGetValue("shared_buffers", out var buffers) && KnownSettings.Bytes("shared_buffers", buffers) > memoryBytes / 10 * 8)
            problems.Add("too-large", $"{path}.shared_buffers", $"{buffers} is more than four fifths of the cluster's memory, {Quantity.FormatBytes(memoryBytes)}.", "Ask for more memory, or for smaller buffers; a quarter is usual.");
        return problems.Problems;
    }

    /// <summary>All settings that a server gets for its size, a system's own in place of the derived ones.</summary>
    /// <param name="memoryBytes">The memory that it may plan with.</param>
    /// <param name="diskBytes">The size of the file system of its data.</param>
    /// <param name="own">A system's own; those that cannot be used are left out, so judge them first.</param>
    public static SortedDictionary<string, string> Derive(long memoryBytes, double diskBytes, IReadOnlyDictionary<string, string> own)
    {
        var good = own.Where(s => Judge(new Dictionary<string, string> { [s.Key] = s.Value }, memoryBytes, "").Count == 0)
            .ToDictionary(s => s.Key.ToLowerInvariant(), s => s.Value, StringComparer.Ordinal);
        var connections = good.TryGetValue("max_connections", out var asked) && KnownSettings.Number(KnownSettings.All["max_connections"], asked) is { } many ? (int)many : DefaultConnections;
        var settings = new SortedDictionary<string, string>(Fixed(), StringComparer.Ordinal);
        foreach (var (name, value) in Sized(Math.Max(memoryBytes, LeastMemory), connections, diskBytes).Concat(good))
            settings[name] = value;
        if (good.TryGetValue("shared_preload_libraries", out var libraries))
            settings["shared_preload_libraries"] = string.Join(',', libraries.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Prepend(Statements).Distinct(StringComparer.Ordinal));
        return settings;
    }

    /// <summary>All settings that a server of a spec gets, but for how a standby reaches its primary.</summary>
    /// <param name="spec">The spec.</param>
    /// <param name="diskBytes">The size of the file system of its data.</param>
    public static SortedDictionary<string, string> Of(ClusterSpec spec, double diskBytes)
    {
        var settings = Derive(spec.MemoryBytes, diskBytes, spec.Settings);
        settings["listen_addresses"] = string.Join(", ", spec.Listen);
        settings["cluster_name"] = spec.Name;
        settings["synchronous_standby_names"] = spec.Role == ServerRole.Primary ? Confirming(spec.SynchronousStandbys, spec.Archive is { IsSynchronous: true }) : "";
        return settings;
    }

    /// <summary>
    /// Who has to confirm a commit (<c>synchronous_standby_names</c>): one of the standbys, the archive, or, when both are asked
    /// for, the archive and every standby, since PostgreSQL cannot say "this one and one of those".
    /// </summary>
    public static string Confirming(IReadOnlyList<string> standbys, bool isArchiveSynchronous)
    {
        var names = string.Join(", ", standbys.Select(n => $"\"{n.Replace("\"", "\"\"", StringComparison.Ordinal)}\""));
        return (standbys.Count, isArchiveSynchronous) switch
        {
            (0, false) => "",
            (0, true) => $"FIRST 1 ({ArchiveName})",
            (_, false) => $"ANY 1 ({names})",
            var (count, _) => $"FIRST {count + 1} ({ArchiveName}, {names})",
        };
    }

    /// <summary>A size as PostgreSQL writes it, in the largest unit that is exact.</summary>
    public static string Size(long bytes) =>
        bytes % Giga == 0 ? $"{bytes / Giga}GB" : bytes % Mega == 0 ? $"{bytes / Mega}MB" : $"{bytes / Kilo}kB";

    private static void JudgeOne(ProblemList problems, string path, string name, string value)
    {
        if (OwnedSettings.WhyOwned(name) is { } why)
            problems.Add("setting-owned", path, $"'{name}' cannot be set: {why}.", "Take it out.");
        else if (value.AsSpan().ContainsAny('\n', '\r', '\0'))
            problems.Add("bad-setting", path, $"The value of '{name}' has more than one line.", "Write it on one line.");
        else if (KnownSettings.All.TryGetValue(name, out var setting))
        {
            if (KnownSettings.Refusal(setting, value) is { } refusal)
                problems.Add("bad-setting", path, $"'{value}' is no value of '{name}': {refusal}.", "Give it a value that PostgreSQL takes.");
        }
        else if (!IsOfExtension(name))
            problems.Add("unknown-setting", path, $"PostgreSQL has no setting '{name}'.", "Look it up in PostgreSQL's documentation, or take it out.");
    }

    /// <summary>Settings of extensions have their extension's name before a point; PostgreSQL takes any of them.</summary>
    private static bool IsOfExtension(string name) =>
        name.Length <= LargestName && name.Split('.') is [{ Length: > 0 } first, { Length: > 0 } second] && (first + second).All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    private static Dictionary<string, string> Sized(long memory, int connections, double disk)
    {
        var buffers = Round(memory / 4);
        var maxWal = Math.Clamp(Round(memory / 2), 256 * Mega, 8 * Giga);
        // A slot whose reader is gone may fill a quarter of the disk; then PostgreSQL gives it up, and the archive begins anew.
        var kept = Math.Clamp(Round((long)(disk / 4)), Giga, 1024 * Giga);
        return new(StringComparer.Ordinal)
        {
            ["shared_buffers"] = Size(buffers),
            ["effective_cache_size"] = Size(Round(memory / 4 * 3)),
            ["maintenance_work_mem"] = Size(Math.Clamp(Round(memory / 16), 16 * Mega, 2 * Giga)),
            ["work_mem"] = Size(Math.Clamp((memory - buffers) / (connections * 3L) / (64 * Kilo) * (64 * Kilo), Mega, 256 * Mega)),
            ["max_connections"] = connections.ToString(),
            ["max_wal_size"] = Size(maxWal),
            ["min_wal_size"] = Size(Math.Max(80 * Mega, Round(maxWal / 8))),
            ["max_slot_wal_keep_size"] = Size(kept),
        };
    }

    private static Dictionary<string, string> Fixed() => new(StringComparer.Ordinal)
    {
        ["autovacuum"] = "on",
        ["autovacuum_analyze_scale_factor"] = "0.02",
        ["autovacuum_naptime"] = "30s",
        ["autovacuum_vacuum_scale_factor"] = "0.05",
        ["checkpoint_completion_target"] = "0.9",
        ["checkpoint_timeout"] = "10min",
        ["effective_io_concurrency"] = "200",
        ["hot_standby"] = "on",
        ["log_autovacuum_min_duration"] = "10s",
        ["log_checkpoints"] = "on",
        ["log_line_prefix"] = "%m [%p] %q%u@%d %a ",
        ["log_lock_waits"] = "on",
        ["log_min_duration_statement"] = "1s",
        ["log_temp_files"] = "10MB",
        ["log_timezone"] = "UTC",
        ["max_replication_slots"] = "10",
        ["max_wal_senders"] = "10",
        ["password_encryption"] = "scram-sha-256",
        ["random_page_cost"] = "1.1",
        ["shared_preload_libraries"] = Statements,
        ["superuser_reserved_connections"] = "5",
        ["tcp_keepalives_idle"] = "60",
        ["track_io_timing"] = "on",
        ["wal_compression"] = "lz4",
        ["wal_level"] = "replica",
        ["wal_log_hints"] = "on",
        ["wal_receiver_timeout"] = "30s",
        ["wal_sender_timeout"] = "30s",
    };

    private static long Round(long bytes) => bytes / Mega * Mega;
}
