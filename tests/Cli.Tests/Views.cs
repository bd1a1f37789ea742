using Groundcrew.Contract;

namespace Groundcrew.Cli.Tests;

/// <summary>Views as a control plane would answer them, at <see cref="Crew.Now"/>.</summary>
internal static class Views
{
    public static readonly Guid Operation = new("019c0000-0000-7000-8000-00009f3c21aa");

    public static DeploymentView Deployment(string label, string status, string environment = "production", double minutesAgo = 3) => new()
    {
        Id = Guid.Empty, Label = label, Org = "acme", Project = "web", Environment = environment, Status = status, CommitSha = "4f2a9c1be77",
        CommitMessage = "Faster checkout\n\nand more", InstancesPerRegion = 2, Ready = status == "active" ? 2 : 0, Instances = status is "active" or "deploying" ? 2 : 0,
        Url = $"http://{label}.localhost:8000", Actor = "ci", Operation = Operation, CreatedAt = Crew.Now.AddMinutes(-minutesAgo),
        KeptUntil = status == "inactive" ? Crew.Now.AddMinutes(10) : null,
    };

    public static ProjectView Project(string org, string name, string? current) => new()
    {
        Id = Guid.Empty, Org = org, Name = name, Current = current, Url = $"http://{name}-{org}.localhost:8000", Domains = [], CreatedAt = Crew.Now.AddDays(-3), Version = 1,
    };

    public static OperationStatusView Op(string state, string? outcome = null, string? why = null, params OperationStepView[] steps) => new()
    {
        Id = Operation, Kind = "deploy", Subject = "acme/web", Summary = "Deploy web-new1234-acme to production", State = state, Outcome = outcome, Why = why, Actor = "ci",
        CreatedAt = Crew.Now.AddSeconds(-20), EndedAt = outcome is null ? null : Crew.Now, Steps = steps,
    };

    public static OperationStepView Step(string name, string state, params string[] words) => new(
        name, state, state == "waiting" ? null : Crew.Now.AddSeconds(-4), state is "done" or "failed" or "undone" ? Crew.Now.AddSeconds(-1.5) : null, words);

    public static NodeView Node(string hostname, string role, string state, int instances) => new()
    {
        Id = Guid.Empty, Hostname = hostname, Role = role, Region = "local", State = state, Instances = instances, Millicores = 2000, MemoryBytes = 4L << 30,
        Version = "0.1.0", LastSeen = Crew.Now.AddSeconds(-4),
    };

    public static InstanceView Instance(string tail, string deployment, string state, string? reason = null) => new()
    {
        Id = new Guid("019c0000-0000-7000-8000-000000" + tail), Deployment = deployment, Org = "acme", Project = "web", Node = "worker-1", Region = "local", State = state,
        Phase = "serving", Restarts = reason is null ? 0 : 4, Reason = reason, Since = Crew.Now.AddMinutes(-2),
    };
}
