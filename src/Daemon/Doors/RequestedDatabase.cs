using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Contract.Manifest;
using Groundcrew.Postgres;

namespace Groundcrew.Daemon.Doors;

/// <summary>The databases of one manifest, and whose they are.</summary>
internal sealed record ManifestDatabases(string Org, IReadOnlyList<ManifestDatabase> Databases);

/// <summary>One database as a manifest describes it.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Name">Its name.</param>
/// <param name="Manifest">What the manifest says.</param>
internal sealed record ManifestDatabase(string Org, string Name, DatabaseManifest Manifest);

/// <summary>From a request of the contract to what the room Postgres is asked: every problem at once.</summary>
internal static class RequestedDatabase
{
    public static Judged<CreateDatabase> New(DatabaseSettings beginning, DatabaseRequest request)
    {
        var problems = new ProblemList();
        problems.RequireSlug("org", request.Org);
        problems.RequireSlug("name", request.Name);
        var settings = Laid(beginning, request, problems);
        if (!problems.IsEmpty)
            return Judged<CreateDatabase>.Bad(problems.Problems);
        return Judged<CreateDatabase>.Good(new CreateDatabase(
            request.Org!, request.Name!, settings with { Standbys = request.Standbys ?? 0 }, request.Node, request.Port, CredentialsOf(request),
            request.Url is { Length: > 0 } url ? new Secret(url) : null));
    }

    public static Judged<Func<DatabaseSettings, DatabaseSettings>> Change(DatabaseRequest request)
    {
        var problems = new ProblemList();
        foreach (var (path, isGiven) in new[]
        {
            ("org", request.Org is not null), ("name", request.Name is not null), ("url", request.Url is not null), ("node", request.Node is not null),
            ("port", request.Port is not null), ("standbys", request.Standbys is not null),
        })
            if (isGiven)
                problems.Add("fixed", path, $"'{path}' belongs to a new database, and cannot be changed here.", path == "standbys" ? "Use crew db standby add or remove." : "Leave it out.");
        _ = Laid(new DatabaseSettings { Databases = [new WantedDatabase("x", [])] }, request, problems);
        return problems.IsEmpty
            ? Judged<Func<DatabaseSettings, DatabaseSettings>>.Good(settings => Laid(settings, request, new ProblemList()))
            : Judged<Func<DatabaseSettings, DatabaseSettings>>.Bad(problems.Problems);
    }

    public static Secret? CredentialsOf(DatabaseRequest request) => request.Backups?.Credentials is { Length: > 0 } given ? new Secret(given) : null;

    public static Judged<IReadOnlyList<WantedSchedule>> Schedules(IReadOnlyList<SchedulePart> parts)
    {
        var problems = new ProblemList();
        var wanted = new List<WantedSchedule>();
        foreach (var (index, part) in parts.Index())
        {
            var kind = DatabaseWords.KindOf(part.Does);
            if (kind is null)
                problems.Add("unknown-choice", $"[{index}].does", $"'{part.Does}' is nothing that a schedule does.", $"Use {string.Join(", ", Enum.GetValues<ScheduleKind>().Select(DatabaseWords.WordOf))}.");
            wanted.Add(new WantedSchedule(kind ?? ScheduleKind.Base, part.Cron, part.Zone, Span($"[{index}].jitter", part.Jitter, problems) ?? TimeSpan.Zero, part.Database, part.Template));
        }
        return problems.IsEmpty ? Judged<IReadOnlyList<WantedSchedule>>.Good(wanted) : Judged<IReadOnlyList<WantedSchedule>>.Bad(problems.Problems);
    }

    public static Judged<WantedRestore> Restore(Judged<RestoreDatabase> body)
    {
        if (body.Value is not { } request)
            return Judged<WantedRestore>.Bad(body.Problems);
        var problems = new ProblemList();
        Lsn? place = null;
        if (request.ToLsn is { } text)
        {
            if (Lsn.TryParse(text, out var read))
                place = read;
            else
                problems.Add("bad-lsn", "toLsn", $"'{text}' is not a place of the log.", "Write it as 16/B374D848.");
        }
        return problems.IsEmpty
            ? Judged<WantedRestore>.Good(new WantedRestore
            {
                Target = new RecoveryTarget(request.ToTime, place, request.ToName), SystemId = request.SystemId, Dump = request.Dump, As = request.As, InPlace = request.InPlace == true,
                Confirm = request.Confirm, WithoutSafetyBackup = request.WithoutSafetyBackup == true, Node = request.Node,
            })
            : Judged<WantedRestore>.Bad(problems.Problems);
    }

    /// <summary>The databases of a manifest.</summary>
    public static Judged<ManifestDatabases> Of(ApplyDatabases request)
    {
        if (request.Manifest is null)
            return Judged<ManifestDatabases>.Bad([new Problem("missing", "manifest", "No manifest is given.", "Send the text of crew.yaml.")]);
        var read = ManifestReader.Read(request.Manifest, SystemManifest.FileName);
        if (read.Value is not { } system)
            return Judged<ManifestDatabases>.Bad(read.Problems);
        var problems = new ProblemList();
        var org = request.Org ?? system.Organization;
        problems.RequireSlug("org", org);
        return problems.IsEmpty
            ? Judged<ManifestDatabases>.Good(new ManifestDatabases(org, [.. system.Databases.Select(d => new ManifestDatabase(org, d.Key, d.Value))]))
            : Judged<ManifestDatabases>.Bad(problems.Problems);
    }

    /// <summary>The databases that a deployment names and that have no address yet.</summary>
    public static async Task<IReadOnlyList<Problem>> MissingAsync(Deploys.DeployRequest wanted, Databases databases, CancellationToken cancellation)
    {
        var problems = new ProblemList();
        foreach (var (variable, secret) in wanted.Settings.Secrets)
            if (secret.Split('/') is ["database", var name, "url"] && await databases.FindAsync(wanted.Org, name, cancellation) is not { State: DatabaseState.Ready })
                problems.Add("database-missing", $"databases.{variable}", $"Organization {wanted.Org} has no database '{name}' that is ready.",
                    $"Make it: crew db create {wanted.Org}/{name}. 'crew deploy' makes those that the manifest describes.");
        return problems.Problems;
    }

    private static DatabaseSettings Laid(DatabaseSettings below, DatabaseRequest request, ProblemList problems)
    {
        long? memory = request.Memory is { } text ? Quantity.ParseBytes(text, ResourcesManifest.BareMemoryUnit) : null;
        if (request.Memory is not null && memory is null)
            problems.Add("bad-quantity", "memory", $"'{request.Memory}' is not an amount of memory.", "Write it as 512Mi or 2Gi.");
        var logins = request.Logins?.Select(l => new DatabaseLogin(l.Name ?? "", l.Databases ?? [], l.Connections, below.Logins.FirstOrDefault(b => b.Name == l.Name)?.Turn ?? 1)).ToList();
        return below with
        {
            Version = request.Version ?? below.Version,
            MemoryBytes = memory ?? below.MemoryBytes,
            Parameters = request.Settings ?? below.Parameters,
            Databases = request.Databases is { } databases ? [.. databases.Select(d => new WantedDatabase(d.Name ?? "", d.Extensions ?? []))] : below.Databases,
            Logins = logins ?? below.Logins,
            GoneRoles = logins is null ? below.GoneRoles : [.. below.GoneRoles.Union(below.Logins.Where(l => logins.TrueForAll(n => n.Name != l.Name)).Select(l => l.Role))],
            Listen = request.Listen ?? below.Listen,
            Networks = request.Networks ?? below.Networks,
            Archive = request.Backups is { } backups ? ArchiveOf(below.Archive, backups, problems) : below.Archive,
            Retention = request.Retention is { } retention
                ? new RetentionPolicy(Span("retention.backups", retention.Backups, problems), retention.BackupCount, Span("retention.dumps", retention.Dumps, problems), retention.DumpCount)
                : below.Retention,
            Objectives = request.Objectives is { } objectives
                ? new RecoveryObjectives(Span("objectives.rto", objectives.Rto, problems), Span("objectives.rpo", objectives.Rpo, problems))
                : below.Objectives,
            Checks = request.Checks is { } checks
                ? [.. checks.Select(c => new SqlCheck(c.Database ?? (below.Databases.Count > 0 ? below.Databases[0].Name : ""), c.Sql ?? "", c.Says ?? c.Sql ?? ""))]
                : below.Checks,
        };
    }

    private static ArchiveSpec? ArchiveOf(ArchiveSpec? below, BackupTarget target, ProblemList problems)
    {
        if (target.To == "none")
            return null;
        if (target.To is null && below is null)
        {
            problems.Add("missing", "backups.to", "No place for backups is named.", "Use a folder (/srv/backups) or a bucket (s3://bucket/prefix).");
            return null;
        }
        var compression = target.Compression switch
        {
            null => below?.Compression ?? Compression.Zstd,
            "zstd" => Compression.Zstd,
            "gzip" => Compression.Gzip,
            "none" => Compression.None,
            _ => (Compression?)null,
        };
        if (compression is null)
            problems.Add("unknown-choice", "backups.compression", $"'{target.Compression}' is not a compression.", "Use zstd, gzip or none.");
        var storage = target.To is { } to ? new StorageSpec(to, target.Endpoint, target.Region)
            : below!.Storage with { Endpoint = target.Endpoint ?? below.Storage.Endpoint, Region = target.Region ?? below.Storage.Region };
        return new ArchiveSpec(
            storage, Span("backups.every", target.Every, problems) ?? below?.FlushEvery ?? TimeSpan.FromSeconds(10), target.Synchronous ?? below?.IsSynchronous ?? false,
            compression ?? Compression.Zstd, target.Encrypted ?? below?.IsEncrypted ?? false);
    }

    private static TimeSpan? Span(string path, string? text, ProblemList problems)
    {
        if (text is null)
            return null;
        if (Quantity.ParseDuration(text) is { } span)
            return span;
        problems.Add("bad-quantity", path, $"'{text}' is not a time.", "Write it with its unit: 30s, 5m, 4h, 30d.");
        return null;
    }
}
