using System.Globalization;

namespace Groundcrew.Postgres.OnNode;

/// <summary>The settings of a server while it recovers. Pure.</summary>
internal static class RecoverySettings
{
    private const string TimeFormat = "yyyy-MM-dd HH:mm:ss.ffffff'+00'";

    /// <summary>Settings of another life that a restored folder must not go on with, by the beginning of their names.</summary>
    private static readonly string[] Foreign =
    [
        "restore_command", "recovery_", "archive_", "primary_", "promote_trigger_file", "synchronous_standby_names", "listen_addresses", "port", "unix_socket", "data_directory",
        "hba_file", "ident_file", "external_pid_file", "ssl", "config_file", "cluster_name", "hot_standby",
    ];

    /// <summary>What of the server's control data (<c>pg_controldata</c>) its successor needs, as settings.</summary>
    private static readonly (string Label, string Setting)[] Needed =
    [
        ("max_connections setting", "max_connections"), ("max_prepared_xacts setting", "max_prepared_transactions"), ("max_locks_per_xact setting", "max_locks_per_transaction"),
        ("track_commit_timestamp setting", "track_commit_timestamp"),
    ];

    /// <summary>
    /// The settings of a recovery. Nobody may connect before it is over, so that nothing of the server that the backup is of has to
    /// be as large here.
    /// </summary>
    /// <param name="plan">The plan.</param>
    /// <param name="walFolder">Where the log lies.</param>
    /// <param name="isOpenEnded">Replay all of the log, whatever the target says.</param>
    public static IEnumerable<KeyValuePair<string, string>> Of(RecoveryPlan plan, string walFolder, bool isOpenEnded)
    {
        var from = Quoted(walFolder).Replace("%", "%%", StringComparison.Ordinal);
        yield return new("restore_command", $"[ -f {from}/%f ] && cp {from}/%f \"%p\"");
        yield return new("recovery_target_timeline", plan.Timeline.ToString(CultureInfo.InvariantCulture));
        yield return new("recovery_target_action", "promote");
        yield return new("hot_standby", "off");
        yield return new("recovery_init_sync_method", "syncfs");
        if (isOpenEnded)
            yield break;
        if (plan.Target.Time is { } time)
        {
            yield return new("recovery_target_time", time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture));
            yield return new("recovery_target_inclusive", "on");
        }
        else if (plan.Target.Position is { } place)
        {
            // A place lies between two records: what begins there or behind is not wanted.
            yield return new("recovery_target_lsn", place.ToString());
            yield return new("recovery_target_inclusive", "off");
        }
        else if (plan.Target.Name is { } name)
        {
            yield return new("recovery_target_name", name);
        }
    }

    /// <summary>What a server needs to go on where another one was, from its control data.</summary>
    public static IEnumerable<KeyValuePair<string, string>> FromControlData(string text)
    {
        foreach (var line in text.Split('\n'))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && Array.Find(Needed, n => n.Label == line[..colon]) is { Setting: { } setting })
                yield return new(setting, line[(colon + 1)..].Trim());
        }
    }

    /// <summary>The libraries that a server loaded when it started, from its settings files; null for none.</summary>
    public static string? Preloaded(IEnumerable<string> lines)
    {
        const string name = "shared_preload_libraries";
        return lines.Select(l => l.Trim()).Where(l => l.StartsWith(name, StringComparison.Ordinal))
            .Select(l => l[name.Length..].TrimStart(' ', '=').Trim('\'')).LastOrDefault(v => v.Length > 0);
    }

    /// <summary>The settings that were made by <c>ALTER SYSTEM</c>, without those that belong to the server's former life.</summary>
    public static string WithoutForeign(string autoSettings) => string.Join('\n', autoSettings.Split('\n').Where(l => !Array.Exists(Foreign, f => l.TrimStart().StartsWith(f, StringComparison.Ordinal))));

    private static string Quoted(string path) => $"'{path.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
