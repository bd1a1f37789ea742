using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Packing;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;
using Groundcrew.Contract.Manifest;

namespace Groundcrew.Cli.Verbs;

/// <summary>
/// <c>crew deploy</c>: judged here, built, packed, uploaded once, asked for, followed to the end. Nothing is sent before
/// every service is packed; services move one after the other, and the first that fails leaves the rest alone.
/// </summary>
internal sealed class DeployVerb
{
    private readonly Argument<string> _folder = new("DIR")
    {
        Description = "The folder of crew.yaml, or the file itself. Default: the folder you are in", DefaultValueFactory = _ => ".",
    };

    private readonly Option<string?> _org = Args.Text("--org", "ORG", "The organization. Default: the manifest's system");
    private readonly Option<string?> _project = Args.Text("--project", "NAME", "The project. Default: the service's name. Needs exactly one service");
    private readonly Option<string?> _environment = Args.Environment();
    private readonly Option<string[]> _services = new("--service")
    {
        Description = "Only this service; may be repeated. Default: all of the manifest", HelpName = "NAME",
    };

    private readonly Option<int?> _instances = new("--instances") { Description = "Instances in each region, instead of the manifest's.", HelpName = "N" };
    private readonly Option<string?> _commit = Args.Text("--commit", "SHA", "The commit. Default: what git says of the folder");
    private readonly Option<string?> _message = Args.Text("--message", "TEXT", "The commit's message. Default: what git says");
    private readonly Option<bool> _wait = Args.Wait();
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Say what would be done; build, send and change nothing." };

    public static Verb Of(CrewRoot root)
    {
        var deploy = new DeployVerb();
        return new Verb("deploy", "Ship a folder as its crew.yaml says. It is built, packaged, uploaded, and takes traffic once it is ready; the old version serves until then, and stays for a rollback.",
            "crew deploy .", "crew deploy shop --environment staging --service web", "crew deploy . --dry-run", "crew deploy . --json | jq -r '.[].label'")
        { Group = Groups.Ship }
            .With(deploy._folder, deploy._org, deploy._project, deploy._environment, deploy._services, deploy._instances, deploy._commit, deploy._message, deploy._wait, deploy._dryRun)
            .Does(root, deploy.RunAsync);
    }

    private async Task<ExitCode> RunAsync(Call call)
    {
        var manifest = ManifestFile.Read(call.Value(_folder));
        var environment = call.Value(_environment) ?? SystemManifest.Production;
        var wanted = Wanted(call, manifest, environment);
        if (call.Value(_dryRun))
            return DryRun(call, manifest, environment, wanted);
        _ = call.Client; // No build for a platform that is not known.
        await BuildAsync(call, manifest.Folder, wanted.Values);
        var packages = new Dictionary<string, PackedFile>();
        try
        {
            await PackAsync(call, manifest, wanted, packages);
            call.IsPatient = true;
            foreach (var (service, package) in packages)
                await Upload.SendAsync(call, service, package);
            if (manifest.System.Databases.Count > 0 && await DatabasesAsync(call, manifest.Text) is { } failed)
                return failed;
            var (sha, message) = await CommitAsync(call, manifest.Folder);
            return await DeployAsync(call, wanted, service => new CreateDeployment
            {
                Org = call.Value(_org), Project = call.Value(_project), Environment = environment, Manifest = manifest.Text, Service = service,
                Artifact = packages.GetValueOrDefault(service)?.Digest, CommitSha = sha, CommitMessage = message, InstancesPerRegion = call.Value(_instances),
            });
        }
        finally
        {
            foreach (var package in packages.Values)
                package.Dispose();
        }
    }

    private Dictionary<string, ServiceSettings> Wanted(Call call, ManifestFile manifest, string environment)
    {
        var all = manifest.System.For(environment);
        var names = call.Value(_services) is { Length: > 0 } named ? named.Distinct().ToArray() : [.. all.Keys];
        if (names.FirstOrDefault(n => !all.ContainsKey(n)) is { } unknown)
            throw new CrewFailedException(ExitCode.Refused, $"{manifest.Name} has no service '{unknown}'. It has: {string.Join(", ", all.Keys)}.");
        if (call.Value(_project) is not null && names.Length != 1)
            throw new CrewFailedException(ExitCode.Usage, $"--project names one project, and {names.Length} services are to be deployed. Add --service NAME.");
        return names.ToDictionary(n => n, n => all[n]);
    }

    private static ExitCode DryRun(Call call, ManifestFile manifest, string environment, Dictionary<string, ServiceSettings> wanted) => call.Show(wanted, _ =>
    {
        call.Out.Line($"{manifest.Name} is well. Nothing was done; a deploy to {environment} would:");
        foreach (var (service, settings) in wanted)
            Effective.Write(call.Out, $"{manifest.System.Organization}/{service}", settings);
    });

    private static async Task BuildAsync(Call call, string folder, IEnumerable<ServiceSettings> services)
    {
        foreach (var line in services.Where(s => s.Image is null).Select(s => s.Build).OfType<string>().Distinct())
        {
            call.Words.Line($"{call.Words.Ink.Of(Tone.Strong, "Building:")} {line}");
            var code = await Shell.RunAsync(line, folder, said => call.Words.Line(call.Words.Ink.Of(Tone.Dim, "  " + Speaking.Text.Clean(said))), call.Cancellation);
            if (code != 0)
                throw new CrewFailedException(ExitCode.Failed, $"The build ended with code {code}: {line}\n  Nothing was deployed. Mend the build, and deploy again.");
        }
    }

    private static async Task PackAsync(Call call, ManifestFile manifest, Dictionary<string, ServiceSettings> wanted, Dictionary<string, PackedFile> packages)
    {
        var problems = new Bedrock.ProblemList();
        var contents = new Dictionary<string, IReadOnlyList<PackEntry>>();
        foreach (var (service, settings) in wanted.Where(s => s.Value.Image is null))
        {
            var found = PackageContents.Find(manifest.Folder, service, settings, call.Root.DataFolder(call.Parsed));
            problems.AddRange(found.Problems);
            if (found.Value is { } entries)
                contents[service] = entries;
        }
        if (!problems.IsEmpty)
            throw new CrewFailedException(ExitCode.Refused, "The package has problems; nothing was sent.") { Problems = problems.Problems, File = manifest.Name };
        foreach (var (service, entries) in contents)
        {
            packages[service] = await Upload.PackAsync(call, entries);
            call.Words.Line($"Packaged {service}: {Speaking.Text.Count(packages[service].Files, "file")}, {Speaking.Text.Bytes(packages[service].Size)}");
        }
    }

    /// <summary>Makes the databases of the manifest so, before anything needs their addresses. Null when they are.</summary>
    private async Task<ExitCode?> DatabasesAsync(Call call, string manifest)
    {
        var changes = await call.Client.PostAsync<DatabaseChangeView[]>("databases/apply", new ApplyDatabases(manifest, call.Value(_org)), call.Cancellation);
        foreach (var change in changes.Where(c => c.Operation is not null))
        {
            call.Words.Line($"{call.Words.Ink.Of(Tone.Strong, "Database:")} {change.Database}");
            var ended = await Following.Waiting.FollowAsync(call, change.Operation!.Value);
            var code = Following.Waiting.Conclude(call, ended, $"Nothing was deployed, because of that. See: crew db info {change.Database}");
            if (code != ExitCode.Ok)
                return code;
        }
        return null;
    }

    private async Task<(string? Sha, string? Message)> CommitAsync(Call call, string folder)
    {
        var sha = call.Value(_commit) ?? await Shell.GitAsync(folder, call.Cancellation, "rev-parse", "HEAD");
        // The subject of another commit than the one that was named would be a lie.
        var message = call.Value(_message) ?? (call.Has(_commit) ? null : await Shell.GitAsync(folder, call.Cancellation, "log", "-1", "--format=%s"));
        return (sha, message);
    }

    private async Task<ExitCode> DeployAsync(Call call, Dictionary<string, ServiceSettings> wanted, Func<string, CreateDeployment> request)
    {
        var made = new List<DeploymentView>();
        var code = ExitCode.Ok;
        var left = new Queue<string>(wanted.Keys);
        try
        {
            while (code == ExitCode.Ok && left.TryDequeue(out var service))
            {
                var accepted = await call.Client.PostAsync<DeploymentView>("deployments", request(service), call.Cancellation);
                made.Add(accepted);
                (made[^1], code) = await Rollout.ConcludeAsync(call, accepted, "Deploying", call.Value(_wait));
            }
        }
        finally
        {
            if (call.IsJson && made.Count > 0)
                JsonOut.Write(call.Out.Writer, made);
        }
        if (left.Count > 0)
            call.Words.Line($"  Not deployed, because of that: {string.Join(", ", left)}.");
        return code;
    }
}
