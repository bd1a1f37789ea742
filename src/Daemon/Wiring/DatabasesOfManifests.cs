using Groundcrew.Bedrock;
using Groundcrew.Contract.Manifest;
using Groundcrew.Daemon.Doors;
using Groundcrew.Journal;
using Groundcrew.Postgres;

namespace Groundcrew.Daemon.Wiring;

/// <summary>Makes databases what a manifest says: those that are missing are made, others changed. Thread-safe.</summary>
internal sealed class DatabasesOfManifests(Databases databases, DatabaseSchedules schedules, SecretStore secrets)
{
    public async Task<DatabaseAnswer> ApplyAsync(ManifestDatabase wanted, Actor actor, CancellationToken cancellation)
    {
        var manifest = wanted.Manifest;
        var credentials = manifest.Backups?.Credentials is { } name ? await secrets.RevealAsync(wanted.Org, name, null, cancellation) : null;
        if (manifest.Backups?.Credentials is { } missing && credentials is null)
            return new DatabaseAnswer.Refused([new Problem("secret-missing", $"databases.{wanted.Name}.backups.credentials", $"Organization {wanted.Org} has no secret '{missing}'.",
                $"Set it: crew secrets set {wanted.Org} {missing}")]);
        var found = await databases.FindAsync(wanted.Org, wanted.Name, cancellation);
        if (found is { IsExternal: true, State: DatabaseState.Ready })
            return new DatabaseAnswer.Conflict($"{found.Subject} is run by somebody else, and the manifest describes one of our own. Remove one of the two.");
        var answer = found is null or { State: DatabaseState.Removed or DatabaseState.Failed }
            ? await databases.CreateAsync(new CreateDatabase(wanted.Org, wanted.Name, Laid(databases.Beginning with { Standbys = manifest.Standbys }, wanted.Name, manifest), null, null, credentials, null), actor, cancellation)
            : await databases.ChangeAsync(wanted.Org, wanted.Name, settings => Laid(settings, wanted.Name, manifest), null, actor, cancellation);
        if (manifest.Schedules is { } list && answer is DatabaseAnswer.Accepted or DatabaseAnswer.Done
            && await schedules.SetAsync(wanted.Org, wanted.Name, [.. manifest.Schedules!.Select(Of)], actor, cancellation) is var set and not DatabaseAnswer.Done)
            return set;
        return answer;
    }

    /// <summary>What the manifest says, over what is there: logins keep their turns, and nothing that was made by hand is dropped.</summary>
    internal static DatabaseSettings Laid(DatabaseSettings below, string name, DatabaseManifest manifest)
    {
        var identifier = name.Replace('-', '_');
        string[] named = manifest.Databases.Count > 0 ? [.. manifest.Databases] : [identifier];
        var databases = named.Select(d => new WantedDatabase(d, manifest.Extensions)).Concat(below.Databases.Where(d => !named.Contains(d.Name))).ToList();
        return below with
        {
            Version = manifest.Version,
            MemoryBytes = manifest.MemoryBytes,
            Parameters = manifest.Settings,
            Databases = databases,
            Logins = below.Logins.Count == 0
                ? [new DatabaseLogin(identifier, [], manifest.Connections)] : [below.Logins[0] with { ConnectionLimit = manifest.Connections }, .. below.Logins.Skip(1)],
            Archive = manifest.Backups is { } backups ? new ArchiveSpec(
                new StorageSpec(backups.To, backups.Endpoint, backups.Region), backups.Every, backups.Synchronous, Of(backups.Compression), backups.Encrypted) : below.Archive,
            Retention = new RetentionPolicy(manifest.Retention.Backups, manifest.Retention.BackupCount, manifest.Retention.Dumps, manifest.Retention.DumpCount),
            Objectives = new RecoveryObjectives(manifest.Objectives.RecoveryTime, manifest.Objectives.RecoveryPoint),
            Checks = [.. manifest.Checks.Select(c => new SqlCheck(c.Database ?? named[0], c.Sql, c.Says ?? c.Sql))],
        };
    }

    private static WantedSchedule Of(DatabaseScheduleManifest s) => new(s.Work switch
    {
        ScheduledWork.Backup => ScheduleKind.Base,
        ScheduledWork.Dump => ScheduleKind.Dump,
        ScheduledWork.Verify => ScheduleKind.Verify,
        ScheduledWork.Drill => ScheduleKind.Drill,
        ScheduledWork.Upkeep => ScheduleKind.Upkeep,
        _ => ScheduleKind.Prune,
    }, s.Cron, s.Zone, s.Jitter, s.Database, s.Template);

    private static Compression Of(BackupCompression compression) => compression switch
    {
        BackupCompression.Zstd => Compression.Zstd,
        BackupCompression.Gzip => Compression.Gzip,
        _ => Compression.None,
    };
}
