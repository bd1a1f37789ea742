using System.Collections.ObjectModel;
using System.Text.Json.Serialization;

namespace Groundcrew.Contract.Manifest;

/// <summary>How a new version takes the place of the old one.</summary>
public enum DeployStrategy
{
    /// <summary>The new version starts beside the old, becomes ready, takes all traffic at once; the old one drains and stays for a rollback.</summary>
    [JsonStringEnumMemberName("blue-green")]
    BlueGreen,
}

/// <summary>One service of a system, as its manifest describes it. <see cref="For"/> gives what holds in an environment. Immutable.</summary>
public sealed record ServiceManifest
{
    /// <summary>A line for the shell that builds the service.</summary>
    [Key(KeyKind.Line, "A line for the shell that builds the service. `crew deploy` runs it in the manifest's folder before it packages.",
        Example = "dotnet publish -c Release -o out", LeftOut = "nothing is built")]
    public string? Build { get; init; }

    /// <summary>What is shipped: a folder or a file, or a list of them.</summary>
    [Key(KeyKind.PackagePaths, "What is shipped: a folder or a file, or a list of them, relative to the manifest's folder and inside it.", Example = "out")]
    public IReadOnlyList<string> Package { get; init; } = ["."];

    /// <summary>Patterns of files that are not shipped.</summary>
    [Key(KeyKind.Globs, "Patterns of files that are not shipped. `*` stands for any characters but `/`, `**/` for any folders, `?` for one character; a `/` at the end means a folder. A pattern without a `/` before its end counts in every folder, others from the manifest's folder. What lies below an excluded folder is excluded too.",
        Example = "[\"*.log\", \"obj/\"]")]
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary>How the service starts: a line for the shell, or a list of words.</summary>
    [Key(KeyKind.Command, "How the service starts: a line for the shell, or a list of words. A line runs as `/bin/sh -c \"exec LINE\"`, so that the program itself gets SIGTERM. In words, `${PORT}`, `${HOST}` and the service's other variables are replaced. The service must listen on HOST and PORT. Required, unless there is an `image`.",
        Example = "./hello")]
    public CommandManifest? Run { get; init; }

    /// <summary>A container image.</summary>
    [Key(KeyKind.Image, "A container image. It is read and kept; no node runs images yet.", InsteadOf = "build, package, exclude and run", Example = "ghcr.io/acme/web:1.4.2")]
    public string? Image { get; init; }

    /// <summary>How the platform learns that an instance lives and may take traffic.</summary>
    [Key(KeyKind.Section, "How the platform learns that an instance lives and may take traffic. An answer of 200 to 399 is good.")]
    public HealthManifest Health { get; init; } = new();

    /// <summary>Where the service shows its own metrics.</summary>
    [Key(KeyKind.Metrics, "Where the service shows its own metrics, in the text format of Prometheus or of OpenMetrics. They are fetched from every instance, and can be queried with the labels `org`, `project`, `service`, `environment`, `deployment`, `instance`, `node` and `region`. A path alone is the short form.",
        Example = "/metrics", LeftOut = "only what the platform measures of its instances is known")]
    public MetricsManifest? Metrics { get; init; }

    /// <summary>How many copies run in each region.</summary>
    [Key(KeyKind.Instances, "How many copies run in each region. One number counts for every region; a map counts by region, with `default` for those it does not name. Without `default`, the service runs only in the regions that are named.",
        Min = "1", Max = "100", Example = "{default: 2, eu-west: 3}")]
    public InstancesManifest Instances { get; init; } = InstancesManifest.InEveryRegion(1);

    /// <summary>What one instance may use.</summary>
    [Key(KeyKind.Section, "What one instance may use.")]
    public ResourcesManifest Resources { get; init; } = new();

    /// <summary>How long an old instance may finish its requests.</summary>
    [Key(KeyKind.Duration, "How long an old instance may finish its requests. New ones go elsewhere first; the time runs again from SIGTERM to SIGKILL (T-34).",
        Min = "0s", Max = "1h", Example = "15s")]
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long an old instance is kept for its WebSockets.</summary>
    [Key(KeyKind.Duration, "How long an old instance is kept for its WebSockets and other upgraded connections, once new ones go elsewhere. It runs beside `drain`, after the rollback window; those that are left then end with the instance.",
        Min = "0s", Max = "24h", Example = "5m")]
    public TimeSpan WebSocketGrace { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long the previous version stays running.</summary>
    [Key(KeyKind.Duration, "How long the previous version stays running. Until then a rollback is one swap of the routes (ZW-79).",
        Min = "0s", Max = "7d", Example = "10m")]
    public TimeSpan RollbackWindow { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How many artifacts stay for a later rollback.</summary>
    [Key(KeyKind.Count, "How many artifacts stay for a later rollback. A rollback beyond the window starts one of them again (T-31).",
        Min = "1", Max = "1000", Example = "10")]
    public int KeepVersions { get; init; } = 10;

    /// <summary>How a new version takes the place of the old one.</summary>
    [Key(KeyKind.Choice, "How a new version takes the place of the old one.", Example = "blue-green")]
    public DeployStrategy Strategy { get; init; } = DeployStrategy.BlueGreen;

    /// <summary>Plain variables.</summary>
    [Key(KeyKind.Variables, "Plain variables. Values are taken as written, quoted or not: `1.10` stays `1.10`, `yes` stays `yes`.", Example = "{GREETING: hello}")]
    public IReadOnlyDictionary<string, string> Environment { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Variables whose values are secrets of the organization.</summary>
    [Key(KeyKind.SecretNames, "Variables whose values are secrets of the organization. On the right stands the secret's name (`crew secrets set`), never its value.",
        Example = "{DB_PASSWORD: db-password}")]
    public IReadOnlyDictionary<string, string> Secrets { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Variables whose values are addresses of databases.</summary>
    [Key(KeyKind.DatabaseNames, "Variables whose values are addresses of databases, with their passwords. On the right stands the name of a database of the organization.",
        Example = "{DATABASE_URL: main}")]
    public IReadOnlyDictionary<string, string> Databases { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Domains of your own that lead to production.</summary>
    [Key(KeyKind.Domains, "Domains of your own that lead to production. Each belongs to one service and one environment.", Example = "[app.acme.org]")]
    public IReadOnlyList<string> Domains { get; init; } = [];

    /// <summary>How the edge treats the service's traffic.</summary>
    [Key(KeyKind.Section, "How the edge treats the service's traffic. All that is left out is safe to run with.")]
    public EdgeManifest? Edge { get; init; }

    /// <summary>What differs in an environment, by its name.</summary>
    [Key(KeyKind.Environments, "What differs in an environment, by its name. `production` always exists and may stand here too.", ExampleName = "staging")]
    public IReadOnlyDictionary<string, EnvironmentManifest> Environments { get; init; } = ReadOnlyDictionary<string, EnvironmentManifest>.Empty;

    /// <summary>What holds in one environment: the service's own settings with those of the environment laid over them. Pure.</summary>
    public ServiceSettings For(string environment)
    {
        var over = Environments.GetValueOrDefault(environment) ?? new EnvironmentManifest();
        return new ServiceSettings
        {
            Build = Build,
            Package = Package,
            Exclude = Exclude,
            Run = Run,
            Image = Image,
            Liveness = Health.Resolve(Health.Liveness),
            Readiness = Health.Resolve(Health.Readiness),
            Deadline = Health.Deadline,
            MetricsPath = Metrics?.Path,
            Instances = over.Instances ?? Instances,
            Resources = over.Resources is { } resources ? Resources.With(resources) : Resources,
            Drain = Drain,
            WebSocketGrace = WebSocketGrace,
            RollbackWindow = RollbackWindow,
            KeepVersions = KeepVersions,
            Strategy = Strategy,
            Environment = Laid(Environment, over.Environment, hiddenBy: over.Secrets),
            Secrets = Laid(Secrets, over.Secrets, hiddenBy: over.Environment),
            Databases = Laid(Databases, over.Databases, hiddenBy: ReadOnlyDictionary<string, string>.Empty),
            Domains = DomainsIn(environment),
            Edge = over.Edge is { } edge ? Edge?.With(edge) ?? edge : Edge,
        };
    }

    /// <summary>The domains of one environment: its own; for production the service's, unless it names its own.</summary>
    internal IReadOnlyList<string> DomainsIn(string environment) =>
        Environments.GetValueOrDefault(environment)?.Domains
        ?? (environment == SystemManifest.Production ? Domains : []);

    // A variable that an environment makes a secret is no longer a plain one there, and the other way round.
    private static Dictionary<string, string> Laid(
        IReadOnlyDictionary<string, string> below, IReadOnlyDictionary<string, string> above, IReadOnlyDictionary<string, string> hiddenBy)
    {
        var laid = below.Where(variable => !hiddenBy.ContainsKey(variable.Key)).ToDictionary();
        foreach (var (name, value) in above)
            laid[name] = value;
        return laid;
    }
}
