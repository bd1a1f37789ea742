using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Following;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary>A database as people name it.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Name">Its name.</param>
internal sealed record DatabaseName(string Org, string Name)
{
    /// <summary>Below <c>/api/v1/</c>.</summary>
    public string Path => $"databases/{Uri.EscapeDataString(Org)}/{Uri.EscapeDataString(Name)}";

    public override string ToString() => $"{Org}/{Name}";
}

/// <summary><c>crew db</c>: databases, their backups and what becomes of them.</summary>
internal static class DatabaseVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var removed = new Option<bool>("--removed") { Description = "Those that were removed, too." };
        return new Verb("db", "List databases; make, back up, prove, restore and move them.",
            "crew db", "crew db create acme/main --backups-to /srv/backups", "crew db backups acme/main", "crew db restore acme/main --to-time 2026-11-22T02:00:00Z --plan",
            "crew db drill acme/main", "crew db health acme/main")
        { Group = Groups.Operate }
            .With(
                Create(root), new Verb("list", "List databases.", "crew db list --json").With(removed).Does(root, call => ListAsync(call, call.Value(removed))), Info(root), Connect(root),
                Change(root), Remove(root), DatabaseBackupVerbs.Backup(root), DatabaseBackupVerbs.Dump(root), DatabaseBackupVerbs.Backups(root), DatabaseBackupVerbs.Verify(root),
                DatabaseBackupVerbs.Drill(root), DatabaseBackupVerbs.Drills(root), DatabaseRestoreVerb.Of(root), DatabaseScheduleVerbs.Schedules(root), DatabaseScheduleVerbs.Retention(root),
                DatabaseMoveVerbs.Switchover(root), DatabaseMoveVerbs.Failover(root), DatabaseMoveVerbs.Standby(root), DatabaseMoveVerbs.Rotate(root), DatabaseLookVerbs.Health(root),
                DatabaseLookVerbs.Statements(root), DatabaseLookVerbs.Tables(root), DatabaseLookVerbs.Upkeep(root, "vacuum"), DatabaseLookVerbs.Upkeep(root, "reindex"),
                DatabaseMoveVerbs.Cancel(root))
            .Does(root, call => ListAsync(call, false));
    }

    public static Argument<DatabaseName> Name() => new("ORG/NAME")
    {
        Description = "The database, such as acme/main.",
        CustomParser = result =>
        {
            if (result.Tokens[0].Value.Split('/') is [{ Length: > 0 } org, { Length: > 0 } name])
                return new DatabaseName(org, name);
            result.AddError($"'{result.Tokens[0].Value}' is not a database. Write it as ORG/NAME, such as acme/main; 'crew db' lists them.");
            return null!;
        },
    };

    /// <summary>Asks for a change, and follows its operation to the end.</summary>
    public static async Task<ExitCode> ChangeAsync(Call call, DatabaseName name, string tail, object? body, bool wait, string whatStands)
    {
        var change = await call.Client.PostAsync<DatabaseChangeView>($"{name.Path}{tail}", body, call.Cancellation);
        return await ConcludeAsync(call, change, wait, whatStands);
    }

    /// <summary>Follows what was accepted, and says how it ended.</summary>
    public static async Task<ExitCode> ConcludeAsync(Call call, DatabaseChangeView change, bool wait, string whatStands)
    {
        if (change.Operation is not { } operation)
            return call.Show(change, c => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {c.Database} is so already; there was nothing to do."));
        if (!wait)
            return call.Show(change, _ => call.Out.Line($"Accepted. Follow it: crew operations watch {operation}"));
        call.IsPatient = true;
        var ended = await Waiting.FollowAsync(call, operation);
        if (call.IsJson)
            JsonOut.Write(call.Out.Writer, ended);
        var code = Waiting.Conclude(call, ended, whatStands);
        if (code == ExitCode.Ok && !call.IsJson)
            call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {Text.Clean(ended.Why ?? "Done.")}");
        return code;
    }

    private static Verb Create(CrewRoot root)
    {
        var (name, settings, wait) = (Name(), new DatabaseOptions(isNew: true), Args.Wait());
        var urlFile = Args.Text("--url-file", "FILE", "A file with the address of a database that somebody else runs; everything that needs no files works for it");
        return new Verb("create", "Make a database on a node, with a login of its own and its backups from the first minute; or take one in that somebody else runs.",
            "crew db create acme/main", "crew db create acme/main --memory 2Gi --standbys 1 --backups-to s3://acme-backups/production --storage-credentials-file key.txt --rpo 5m --rto 1h",
            "crew db create acme/legacy --url-file legacy.url")
            .With([name, .. settings.All, urlFile, wait]).Does(root, async call =>
            {
                var wanted = call.Value(name);
                var request = settings.Read(call, ownName: wanted.Name.Replace('-', '_')) with { Org = wanted.Org, Name = wanted.Name, Url = call.Value(urlFile) is { } file ? ReadFile(file) : null };
                var change = await call.Client.PostAsync<DatabaseChangeView>("databases", request, call.Cancellation);
                if (request.Url is not null)
                    return call.Show(change, c => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {c.Database} is known. Look at it: crew db health {c.Database}"));
                return await ConcludeAsync(call, change, call.Value(wait), $"Nothing of {wanted} runs. Mend the cause, and create it again.");
            });
    }

    private static Verb Change(CrewRoot root)
    {
        var (name, settings, wait) = (Name(), new DatabaseOptions(isNew: false), Args.Wait());
        return new Verb("change", "Change what a database should be; what is not named stays as it is.", "crew db change acme/main --memory 4Gi", "crew db change acme/main --rpo 5m --set work_mem=16MB")
            .With([name, .. settings.All, wait]).Does(root, async call =>
            {
                var wanted = call.Value(name);
                var before = await call.GetAsync<DatabaseView>(wanted.Path);
                var change = await call.Client.PatchAsync<DatabaseChangeView>(wanted.Path, settings.Read(call, before), call.Cancellation);
                return await ConcludeAsync(call, change, call.Value(wait), "The settings of before hold.");
            });
    }

    private static Verb Info(CrewRoot root)
    {
        var name = Name();
        return new Verb("info", "Show a database: its servers, how far its archive is, what it was asked to be.", "crew db info acme/main").With(name)
            .Does(root, async call => call.Show(await call.GetAsync<DatabaseView>(call.Value(name).Path), d => DatabaseInfoText.Write(call, d)));
    }

    private static Verb Connect(CrewRoot root)
    {
        var (name, login) = (Name(), Args.Text("--login", "NAME", "Which login. Default: the first"));
        return new Verb("connect", "Show the address of a database, with its password. The control plane keeps a record of who asked.", "crew db connect acme/main", "psql \"$(crew db connect acme/main)\"")
            .With(name, login).Does(root, async call =>
            {
                var query = call.Value(login) is { } one ? $"?login={Args.Escape(one)}" : "";
                return call.Show(await call.GetAsync<DatabaseConnectionView>($"{call.Value(name).Path}/connection{query}"), c => call.Out.Line(c.Url));
            });
    }

    private static Verb Remove(CrewRoot root)
    {
        var (name, yes, wait) = (Name(), Args.Yes(), Args.Wait());
        return new Verb("remove", "Remove a database: its servers and files. Its backups stay, and it can be restored from them.", "crew db remove acme/old --yes").With(name, yes, wait).Does(root, async call =>
        {
            var wanted = call.Value(name);
            call.Confirm(call.Value(yes), $"The data of {wanted} is removed. Its backups stay.", wanted.ToString());
            return await ChangeAsync(call, wanted, "/remove", new RemoveDatabase(wanted.Name), call.Value(wait), "It is still there, or partly: see crew db info.");
        });
    }

    private static async Task<ExitCode> ListAsync(Call call, bool removed) => call.List(
        await call.GetAsync<DatabaseView[]>($"databases?limit=1000{(removed ? "&removed=true" : "")}"),
        "No databases yet. Make one: crew db create ORG/NAME", list =>
        {
            var table = new Listing(new("DATABASE", Least: 12), new("STATE"), new("VERSION", IsNumber: true), new("MEMORY", IsNumber: true), new("PRIMARY", Least: 12), new("STANDBY", Least: 8), new("ARCHIVED", Least: 8), new("CREATED"));
            foreach (var d in list)
            {
                var (primary, standby) = (d.Servers.FirstOrDefault(s => s.Role == "primary"), d.Servers.FirstOrDefault(s => s.Role == "standby"));
                table.Add($"{d.Org}/{d.Name}", Cell.State(d.State), d.Version, d.State == "external" ? "-" : Text.Bytes(d.MemoryBytes), primary is null ? "-" : $"{primary.Node}:{primary.Port}",
                    standby is null ? "-" : standby.State, d.Backups is null ? "-" : primary?.ArchivedUntil is { } at ? Text.Ago(at, call.Now) : "not yet", Text.Ago(d.CreatedAt, call.Now));
            }
            return table;
        });

    internal static string ReadFile(string file)
    {
        try
        {
            return File.ReadAllText(file).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CrewFailedException(ExitCode.Usage, $"{file} cannot be read: {e.Message}");
        }
    }
}

/// <summary>What a database is asked to be, as options.</summary>
internal sealed class DatabaseOptions(bool isNew)
{
    private readonly Option<int?> _version = new("--pg-version") { Description = "PostgreSQL's major version. Default: 15", HelpName = "N" };
    private readonly Option<string?> _memory = Args.Text("--memory", "SIZE", "The memory that it may plan with. Default: 256Mi");
    private readonly Option<string?> _node = Args.Text("--node", "HOSTNAME", "The node. Default: the one with the most memory free");
    private readonly Option<int?> _port = new("--port") { Description = "The port. Default: the first free one", HelpName = "N" };
    private readonly Option<int?> _standbys = new("--standbys") { Description = "How many standbys follow: 0 or 1. Default: 0", HelpName = "N" };
    private readonly Option<string[]> _databases = new("--database") { Description = "A database of its own; may be repeated. Default: one with its name", HelpName = "NAME" };
    private readonly Option<string[]> _extensions = new("--extension") { Description = "An extension of every database; may be repeated.", HelpName = "NAME" };
    private readonly Option<string[]> _settings = new("--set") { Description = "A setting of postgresql.conf; may be repeated.", HelpName = "NAME=VALUE" };
    private readonly Option<string[]> _listen = new("--listen") { Description = "An address to listen on; may be repeated. Default: its own machine's", HelpName = "ADDRESS" };
    private readonly Option<string[]> _networks = new("--network") { Description = "A network that may connect with a password; may be repeated.", HelpName = "CIDR" };
    private readonly Option<string?> _to = Args.Text("--backups-to", "PLACE", "A folder or s3://bucket/prefix; 'none' for nowhere. Default: the platform's folder");
    private readonly Option<string?> _endpoint = Args.Text("--storage-endpoint", "URL", "The address of an S3 storage that is not Amazon's");
    private readonly Option<string?> _region = Args.Text("--storage-region", "NAME", "The storage's region");
    private readonly Option<string?> _credentials = Args.Text("--storage-credentials-file", "FILE", "A file with 'access key:secret key'");
    private readonly Option<string?> _every = Args.Text("--archive-every", "TIME", "The most time that changes may be missing in the storage. Default: 10s");
    private readonly Option<bool?> _synchronous = new("--synchronous") { Description = "Commits wait until the storage has them (RPO 0)." };
    private readonly Option<bool?> _encrypted = new("--encrypted") { Description = "Encrypt what lies in the storage." };
    private readonly Option<string?> _rto = Args.Text("--rto", "TIME", "How long recovery may take");
    private readonly Option<string?> _rpo = Args.Text("--rpo", "TIME", "How much of the newest changes may be lost");
    private readonly Option<string?> _keep = Args.Text("--keep", "TIME", "How long base backups are kept. Default: 30d");
    private readonly Option<string?> _keepDumps = Args.Text("--keep-dumps", "TIME", "How long dumps are kept. Default: 30d");

    public IReadOnlyList<Symbol> All =>
    [
        .. isNew ? (Symbol[])[_version, _node, _port, _standbys] : [], _memory, _databases, _extensions, _settings, _listen, _networks, _to, _endpoint, _region, _credentials, _every, _synchronous,
        _encrypted, _rto, _rpo, _keep, _keepDumps,
    ];

    /// <summary>Only what was named; a list that stands beside others of the same kind goes on from what holds.</summary>
    /// <param name="call">The call.</param>
    /// <param name="before">What holds; null for a new one.</param>
    /// <param name="ownName">What its only database is called when none is named.</param>
    public DatabaseRequest Read(Call call, DatabaseView? before = null, string? ownName = null)
    {
        var names = call.Value(_databases) is { Length: > 0 } given ? given : null;
        var extensions = call.Value(_extensions) ?? [];
        var kept = before?.Databases.Select(d => d.Name!) ?? [];
        return new DatabaseRequest
        {
            Version = isNew ? call.Value(_version) : null, Memory = call.Value(_memory), Node = isNew ? call.Value(_node) : null, Port = isNew ? call.Value(_port) : null,
            Standbys = isNew ? call.Value(_standbys) : null,
            Databases = names is null && extensions.Length == 0 ? null
                : [.. kept.Union(names ?? []).DefaultIfEmpty(ownName).Select(n => new DatabasePart(n, [.. extensions.Union(before?.Databases.FirstOrDefault(d => d.Name == n)?.Extensions ?? [])]))],
            Settings = call.Value(_settings) is { Length: > 0 } settings ? Settings(before?.Settings, settings) : null,
            Listen = call.Value(_listen) is { Length: > 0 } listen ? listen : null, Networks = call.Value(_networks) is { Length: > 0 } networks ? networks : null,
            Backups = IsAboutBackups(call) ? new BackupTarget
            {
                To = call.Value(_to) is { } to && to != "none" && !to.Contains(':', StringComparison.Ordinal) ? Path.GetFullPath(to) : call.Value(_to),
                Endpoint = call.Value(_endpoint), Region = call.Value(_region), Credentials = call.Value(_credentials) is { } file ? DatabaseVerbs.ReadFile(file) : null,
                Every = call.Value(_every), Synchronous = call.Value(_synchronous), Encrypted = call.Value(_encrypted),
            } : null,
            Objectives = call.Value(_rto) is null && call.Value(_rpo) is null ? null : new ObjectivesPart(call.Value(_rto) ?? before?.Objectives.Rto, call.Value(_rpo) ?? before?.Objectives.Rpo),
            Retention = call.Value(_keep) is null && call.Value(_keepDumps) is null ? null
                : new RetentionPart(call.Value(_keep) ?? before?.Retention.Backups ?? "30d", before?.Retention.BackupCount, call.Value(_keepDumps) ?? before?.Retention.Dumps ?? "30d", before?.Retention.DumpCount),
        };
    }

    private bool IsAboutBackups(Call call) =>
        call.Has(_to) || call.Has(_endpoint) || call.Has(_region) || call.Has(_credentials) || call.Has(_every) || call.Has(_synchronous) || call.Has(_encrypted);

    private static Dictionary<string, string> Settings(IReadOnlyDictionary<string, string>? before, string[] given)
    {
        var all = new Dictionary<string, string>(before ?? new Dictionary<string, string>(), StringComparer.Ordinal);
        foreach (var one in given)
        {
            var equals = one.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new CrewFailedException(ExitCode.Usage, $"'{one}' is not a setting. Write it as NAME=VALUE, such as work_mem=16MB.");
            all[one[..equals].Trim()] = one[(equals + 1)..].Trim();
        }
        return all;
    }
}
