using Groundcrew.Cli.Calling;

namespace Groundcrew.Cli.Verbs;

/// <summary>The verbs in the order of help.</summary>
internal static class AllVerbs
{
    public static IEnumerable<Verb> Of(CrewRoot root) =>
    [
        DeployVerb.Of(root), .. MoveVerbs.Of(root), DeploymentVerbs.Of(root),
        StatusVerb.Of(root), ProjectVerbs.Of(root), InstanceVerbs.Of(root), HealthVerb.Of(root), LogsVerb.Of(root), MetricsVerbs.Of(root), RouteVerbs.Of(root), OperationVerbs.Of(root),
        EdgeVerbs.Of(root), NodeVerbs.Of(root), RegionVerbs.Of(root), DomainVerbs.Of(root), DatabaseVerbs.Of(root), SecretVerbs.Of(root), TokenVerbs.Of(root),
        .. AccountVerbs.Of(root), StoreVerbs.Of(root), ManifestVerbs.Of(root), CompletionVerb.Of(root),
    ];
}

/// <summary>The groups of the overview, in its order.</summary>
internal static class Groups
{
    public const string Ship = "Ship";
    public const string Look = "Look";
    public const string Operate = "Run the platform";
    public const string Access = "Secrets and access";
    public const string Write = "Write a manifest";

    public static IReadOnlyList<string> All { get; } = [Ship, Look, Operate, Access, Write];
}
