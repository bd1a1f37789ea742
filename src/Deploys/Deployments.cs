using System.Security.Cryptography;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>
/// Deployments: asking for one, going back to one, and looking at them. A project's environment is moved by one
/// operation at a time (invariant 3). Thread-safe.
/// </summary>
public sealed class Deployments
{
    private const string NoImages = "no node can run images yet: deploy a folder package, or add a node with the container driver when there is one";
    private readonly Store _store;
    private readonly Operations _operations;
    private readonly Nodes _nodes;
    private readonly Instances _instances;
    private readonly Projects _projects;
    private readonly Domains _domains;
    private readonly SecretStore _secrets;
    private readonly Audit _audit;
    private readonly TimeProvider _clock;
    private readonly OperationDefinition<RolloutPlan> _deploy;
    private readonly OperationDefinition<RolloutPlan> _rollback;
    private readonly OperationDefinition<RolloutPlan> _promote;
    private readonly OperationDefinition<StopPlan> _stop;

    internal Deployments(
        Store store, Operations operations, Nodes nodes, Instances instances, Projects projects, Domains domains, SecretStore secrets, Audit audit,
        Rollout rollout, Retirement retirement, TimeProvider clock)
    {
        (_store, _operations, _nodes, _instances) = (store, operations, nodes, instances);
        (_projects, _domains, _secrets, _audit, _clock) = (projects, domains, secrets, audit, clock);
        _deploy = rollout.Definition("deploy");
        _rollback = rollout.Definition("rollback");
        _promote = rollout.Definition("promote");
        operations.Register(_deploy);
        operations.Register(_rollback);
        operations.Register(_promote);
        operations.Register(_stop = retirement.Stop);
    }

    /// <summary>The lease that an operation on an environment holds.</summary>
    public static string LeaseOf(Guid projectId, string environment) => $"environment/{projectId:D}/{environment}";

    /// <summary>
    /// Makes a deployment and begins to roll it out. A manifest's project is registered on its first deploy. What is not
    /// accepted leaves nothing behind. The same <paramref name="key"/> again gives the first answer.
    /// </summary>
    public Task<RolloutAnswer> DeployAsync(DeployRequest request, Actor actor, string? key, CancellationToken cancellation) =>
        ChangeAsync("deployment.create", new Asker(actor, key, request), (db, asker) =>
            BeginNewAsync(db, _deploy, request, $"deploy to {request.Environment}", asker, cancellation), cancellation);

    /// <summary>The same artifact and commit in another environment (ZW-63), with that environment's settings.</summary>
    public Task<RolloutAnswer> PromoteAsync(DeployRequest request, string from, Actor actor, string? key, CancellationToken cancellation) =>
        ChangeAsync("deployment.promote", new Asker(actor, key, new { request, from }), (db, asker) =>
            BeginNewAsync(db, _promote, request, $"promote from {from} to {request.Environment}", asker, cancellation), cancellation);

    /// <summary>Goes back: to the previous deployment, or to the one that is named (ZW-62).</summary>
    public Task<RolloutAnswer> RollbackAsync(
        string org, string project, string environment, string? to, string? reason, Actor actor, string? key, CancellationToken cancellation) =>
        ChangeAsync("deployment.rollback", new Asker(actor, key, new { org, project, environment, to, reason }), (db, asker) =>
            RollbackAsync(db, (org, project, environment), to, reason, asker, cancellation), cancellation);

    /// <summary>The current deployment's artifact and settings again, in new instances beside the old (U-11).</summary>
    public Task<RolloutAnswer> RestartAsync(DeployRequest request, Actor actor, string? key, CancellationToken cancellation) =>
        ChangeAsync("deployment.restart", new Asker(actor, key, new { request, again = true }), (db, asker) =>
            BeginNewAsync(db, _deploy, request, $"restart {request.Environment}", asker, cancellation), cancellation);

    /// <summary>
    /// Takes what an environment points at out of service (U-11): no route, drained, stopped. Going back to it starts it again.
    /// </summary>
    public Task<RolloutAnswer> StopAsync(
        string org, string project, string environment, string? reason, Actor actor, string? key, CancellationToken cancellation) =>
        ChangeAsync("deployment.stop", new Asker(actor, key, new { org, project, environment, reason }), (db, asker) =>
            StopAsync(db, (org, project, environment), reason, asker, cancellation), cancellation);

    /// <summary>One deployment by its label; null when there is none.</summary>
    public Task<DeploymentInfo?> FindAsync(string label, CancellationToken cancellation) =>
        _store.ReadAsync(async (db, cancel) =>
            await db.Set<DeploymentRow>().SingleOrDefaultAsync(d => d.Label == label, cancel) is { } row ? Info(row) : null, cancellation);

    /// <summary>Deployments, newest first: all, of a project, or of one of its environments.</summary>
    public Task<IReadOnlyList<DeploymentInfo>> ListAsync(
        string? org, string? project, string? environment, int limit, Guid? before, CancellationToken cancellation) =>
        _store.ReadAsync<IReadOnlyList<DeploymentInfo>>(async (db, cancel) =>
        {
            var query = db.Set<DeploymentRow>().Where(d =>
                (org == null || d.Org == org) && (project == null || d.Project == project) && (environment == null || d.Environment == environment));
            if (before is { } cursor)
            {
                var last = await db.Set<DeploymentRow>().Where(d => d.Id == cursor).Select(d => new { d.CreatedAt, d.Label }).SingleOrDefaultAsync(cancel);
                if (last is null)
                    return [];
                query = query.Where(d => d.CreatedAt < last.CreatedAt || (d.CreatedAt == last.CreatedAt && string.Compare(d.Label, last.Label) < 0));
            }
            var rows = await query.OrderByDescending(d => d.CreatedAt).ThenByDescending(d => d.Label).Take(limit).ToListAsync(cancel);
            return [.. rows.Select(Info)];
        }, cancellation);

    /// <summary>The label that an environment points at; null when it points nowhere.</summary>
    public Task<string?> CurrentAsync(Guid projectId, string environment, CancellationToken cancellation) =>
        _store.ReadAsync((db, cancel) => db.Set<EnvironmentRow>()
            .Where(e => e.ProjectId == projectId && e.Name == environment).Select(e => e.Current).SingleOrDefaultAsync(cancel), cancellation);

    internal static ServiceSettings SettingsOf(DeploymentRow row) =>
        JsonSerializer.Deserialize<ServiceSettings>(row.Settings, Json.Options)!;

    /// <summary>One transaction that keeps something only when it was accepted.</summary>
    private async Task<RolloutAnswer> ChangeAsync(
        string action, Asker asker, Func<StoreContext, Asker, Task<RolloutAnswer>> change, CancellationToken cancellation)
    {
        try
        {
            return await _store.WriteAsync(async (db, cancel) =>
            {
                var answer = await EarlierAsync(db, asker, cancel) ?? await change(db, asker);
                if (answer is not RolloutAnswer.Accepted { Deployment: var deployment })
                    throw new NotAcceptedException(answer);
                if (asker is { Key: { } key, RequestHash: { } hash })
                    db.Add(new RolloutRequestRow
                    {
                        ActorId = asker.Actor.Id, Key = key, Hash = hash, Deployment = deployment.Label, Operation = deployment.Operation, CreatedAt = _clock.StoreNow(),
                    });
                _audit.Write(db, asker.Actor, action, deployment.Label, "accepted", new { deployment.Environment, deployment.Operation, asker.Key });
                return answer;
            }, cancellation);
        }
        catch (NotAcceptedException refused)
        {
            return refused.Answer;
        }
    }

    private static async Task<(ProjectRow? Project, EnvironmentRow? Pointer)> FindAsync(
        StoreContext db, (string Org, string Project, string Environment) where, CancellationToken cancellation)
    {
        var row = await db.Set<ProjectRow>().SingleOrDefaultAsync(p => p.Org == where.Org && p.Name == where.Project, cancellation);
        return (row, row is null ? null
            : await db.Set<EnvironmentRow>().SingleOrDefaultAsync(e => e.ProjectId == row.Id && e.Name == where.Environment, cancellation));
    }

    private async Task<RolloutAnswer> StopAsync(
        StoreContext db, (string Org, string Project, string Environment) where, string? reason, Asker asker, CancellationToken cancellation)
    {
        var (project, pointer) = await FindAsync(db, where, cancellation);
        if (project is null || pointer is null)
            return new RolloutAnswer.NotFound($"environment {where.Environment} of project {where.Org}/{where.Project}");
        if (pointer.Current is not { } label)
            return new RolloutAnswer.NothingToStop($"Nothing serves {where.Environment} of {where.Org}/{where.Project}.");
        var row = await db.Set<DeploymentRow>().SingleAsync(d => d.Label == label, cancellation);
        var ids = (await _instances.ListAsync(db, label, cancellation)).Select(i => i.Id).ToList();
        row.Operation = Ids.New(_clock);
        var settings = SettingsOf(row);
        var begun = await _operations.BeginAsync(db, _stop, new StopPlan(label, ids, settings.Drain, settings.WebSocketGrace), new BeginOptions
        {
            Id = row.Operation, Subject = $"{where.Org}/{where.Project}", Actor = asker.Actor,
            Leases = [LeaseOf(project.Id, pointer.Name), StopPlan.LeaseOf(label)],
            Summary = $"stop {where.Environment}: {label}" + (reason is null ? "" : $" ({reason})"),
        }, cancellation);
        if (begun is not BeginResult.Begun)
            return new RolloutAnswer.Busy(((BeginResult.Busy)begun).Holder);
        // From here on no rollback counts on the instances, and no route names them.
        (pointer.Current, pointer.Previous) = (null, label);
        (row.Status, row.KeptUntil, row.Why) = (DeploymentStatus.Inactive, null, reason);
        await _instances.WithdrawAsync(db, ids, cancellation);
        await Splits.EndAsync(db, project.Id, pointer.Name, [], _clock.StoreNow(), cancellation);
        return new RolloutAnswer.Accepted(Info(row));
    }

    private async Task<RolloutAnswer> RollbackAsync(
        StoreContext db, (string Org, string Project, string Environment) where, string? to, string? reason, Asker asker, CancellationToken cancellation)
    {
        var (org, project, environment) = where;
        var (row, pointer) = await FindAsync(db, where, cancellation);
        if (row is null || pointer is null)
            return new RolloutAnswer.NotFound($"environment {environment} of project {org}/{project}");
        var label = to ?? await PreviousAsync(db, row.Id, pointer, cancellation);
        if (label is null)
            return new RolloutAnswer.NothingToRollBack($"{org}/{project} has no earlier deployment in {environment} that was ever active.");
        var target = await db.Set<DeploymentRow>().SingleOrDefaultAsync(d => d.Label == label && d.ProjectId == row.Id && d.Environment == environment, cancellation);
        if (target is null)
            return new RolloutAnswer.NotFound($"deployment {label} in {environment} of {org}/{project}");
        if (target.ActivatedAt is null)
            return new RolloutAnswer.NothingToRollBack($"{label} never served {environment}: it {(target.Status == DeploymentStatus.Failed ? "failed" : "is still on its way")}.");
        return pointer.Current == label
            ? new RolloutAnswer.NothingToRollBack($"{label} serves {environment} already.")
            : await BeginAsync(db, _rollback, row, target, pointer, $"roll back {environment} to {label}", reason, asker, cancellation);
    }

    private async Task<RolloutAnswer> BeginNewAsync(
        StoreContext db, OperationDefinition<RolloutPlan> definition, DeployRequest request, string summary, Asker asker, CancellationToken cancellation)
    {
        var problems = new ProblemList();
        var project = await ProjectAsync(db, request, problems, cancellation);
        if (project is null)
            return problems.IsEmpty ? new RolloutAnswer.NotFound($"project {request.Org}/{request.Project}") : new RolloutAnswer.Refused(problems.Problems);
        var environment = await _projects.EnvironmentAsync(db, project, request.Environment, cancellation);
        problems.AddRange(environment.Problems);
        await JudgeReferencesAsync(db, request, problems, cancellation);
        if (!problems.IsEmpty)
            return new RolloutAnswer.Refused(problems.Problems);
        var row = await AddAsync(db, project, request, asker.Actor, cancellation);
        foreach (var domain in request.Settings.Domains)
        {
            var info = (await _projects.FindAsync(db, request.Org, request.Project, cancellation))!;
            problems.AddRange((await _domains.ClaimAsync(db, info, request.Environment, domain, new DomainClaim(MayMove: false), cancellation)).Problems);
        }
        return problems.IsEmpty
            ? await BeginAsync(db, definition, project, row, environment.Value!, $"{summary}: {row.Label}", null, asker, cancellation)
            : new RolloutAnswer.Refused(problems.Problems);
    }

    private async Task<ProjectRow?> ProjectAsync(StoreContext db, DeployRequest request, ProblemList problems, CancellationToken cancellation)
    {
        var row = await db.Set<ProjectRow>().SingleOrDefaultAsync(p => p.Org == request.Org && p.Name == request.Project, cancellation);
        if (row is not null || request.Manifest is null)
            return row;
        var created = await _projects.CreateAsync(db, request.Org, request.Project, new ProjectSettings(null, null, null, null, null), cancellation);
        problems.AddRange(created.Problems);
        return created.Value is null ? null : await db.Set<ProjectRow>().SingleAsync(p => p.Id == created.Value.Id, cancellation);
    }

    private async Task JudgeReferencesAsync(StoreContext db, DeployRequest request, ProblemList problems, CancellationToken cancellation)
    {
        if (await MissingArtifactAsync(db, request.Settings, cancellation) is { } missing)
            problems.AddRange([missing]);
        var known = request.Settings.Secrets.Count == 0 ? []
            : (await _secrets.ListAsync(request.Org, cancellation)).Select(s => s.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var (variable, name) in request.Settings.Secrets.Where(s => !known.Contains(s.Value)))
            problems.Add("secret-missing", $"secrets.{variable}", $"Organization {request.Org} has no secret '{name}'.",
                $"Set it: crew secrets set {request.Org} {name}");
    }

    private static async Task<Problem?> MissingArtifactAsync(StoreContext db, ServiceSettings settings, CancellationToken cancellation) =>
        settings.Artifact is { } digest && await Artifacts.FindAsync(db, digest, cancellation) is null
            ? new Problem("artifact-missing", "artifact", $"Artifact {digest} is not stored, or not any more.", "Upload it: PUT /api/v1/artifacts/{digest}.")
            : null;

    private async Task<DeploymentRow> AddAsync(StoreContext db, ProjectRow project, DeployRequest request, Actor actor, CancellationToken cancellation)
    {
        string label;
        do
            label = HostLabels.NewDeployment(project.Org, project.Name);
        while (await db.Set<HostRow>().AnyAsync(h => h.Label == label, cancellation));
        db.Add(new HostRow { Label = label, ProjectId = project.Id });
        var row = new DeploymentRow
        {
            Id = Ids.New(_clock), Label = label, ProjectId = project.Id, Org = project.Org, Project = project.Name,
            Environment = request.Environment, Status = DeploymentStatus.Deploying,
            Settings = JsonSerializer.Serialize(WithDefaults(request.Settings, project), Json.Options),
            Manifest = request.Manifest, Service = request.Service, Artifact = request.Settings.Artifact, CommitSha = request.CommitSha,
            CommitMessage = request.CommitMessage, Actor = actor.Name, Operation = Ids.New(_clock), CreatedAt = _clock.StoreNow(),
        };
        db.Add(row);
        return row;
    }

    private async Task<RolloutAnswer> BeginAsync(
        StoreContext db, OperationDefinition<RolloutPlan> definition, ProjectRow project, DeploymentRow target, EnvironmentRow pointer,
        string summary, string? reason, Asker asker, CancellationToken cancellation)
    {
        var settings = SettingsOf(target);
        // The last word of a node that is down is no word: its instances do not count as running. Nor do those of a drained
        // one, which nothing is sent to.
        var drained = await Drains.AllAsync(db, cancellation);
        var up = (await _nodes.ListAsync(db, cancellation)).Where(n => n.Role == NodeRole.Worker && !_nodes.IsDown(n) && !drained.HoldsNode(n.Id)).ToList();
        var workers = up.Where(n => n.State == NodeState.Ready).ToList();
        var running = (await _instances.ListAsync(db, target.Label, cancellation)).Where(i => i.TakesTraffic && up.Exists(n => n.Id == i.NodeId)).ToList();
        var judged = settings.Image is not null
            ? Judged<IReadOnlyList<Placed>>.Good([])
            : Placement.Choose(workers, region => Math.Max(0, settings.InstancesIn(region) - running.Count(i => i.Region == region)), settings.Regions.Keys, settings.Limits, () => Ids.New(_clock));
        if (judged.Value is null)
            return new RolloutAnswer.Refused(drained.Nodes.Count == 0 ? judged.Problems : [.. judged.Problems, new Problem(
                "node-drained", "", $"Nothing is placed on what is drained at the edges, which {drained.Nodes.Count} of the nodes are.", "Give one back: crew edge undrain --node NODE. 'crew edge' names them.")]);
        if (judged.Value.Count > 0 && await MissingArtifactAsync(db, settings, cancellation) is { } missing)
            return new RolloutAnswer.Refused([missing]);
        var keptUntil = target.KeptUntil;
        if (target.Status != DeploymentStatus.Deploying)
            (target.Operation, target.Status, target.KeptUntil) = (Ids.New(_clock), DeploymentStatus.Deploying, null);
        await db.SaveChangesAsync(cancellation);
        var begun = await _operations.BeginAsync(db, definition, new RolloutPlan
        {
            Deployment = target.Label, Previous = pointer.Current, Earlier = pointer.Previous, KeptUntil = keptUntil, ProjectId = project.Id, Environment = pointer.Name,
            Start = judged.Value, Running = [.. running.Select(i => i.Id)], ReadyDeadline = settings.ReadyDeadline, Drain = settings.Drain,
            RollbackWindow = settings.RollbackWindow, Impossible = settings.Image is null ? null : NoImages, Reason = reason,
        }, new BeginOptions
        {
            Id = target.Operation, Subject = $"{project.Org}/{project.Name}", Actor = asker.Actor, Leases = [LeaseOf(project.Id, pointer.Name)],
            Summary = reason is null ? summary : $"{summary} ({reason})",
        }, cancellation);
        return begun switch
        {
            BeginResult.Begun => new RolloutAnswer.Accepted(Info(target)),
            BeginResult.Busy busy => new RolloutAnswer.Busy(busy.Holder),
            _ => throw new InvalidOperationException($"Without a key an operation begins or finds the lease held, and not {begun}."),
        };
    }

    private static async Task<string?> PreviousAsync(StoreContext db, Guid projectId, EnvironmentRow pointer, CancellationToken cancellation)
    {
        if (pointer.Previous is not null)
            return pointer.Previous;
        return await db.Set<DeploymentRow>()
            .Where(d => d.ProjectId == projectId && d.Environment == pointer.Name && d.ActivatedAt != null && d.Label != pointer.Current)
            .OrderByDescending(d => d.ActivatedAt).Select(d => d.Label).FirstOrDefaultAsync(cancellation);
    }

    /// <summary>
    /// The answer that an earlier request with the same key got, before anything is judged again: what was true then may
    /// not be now. Null when there was none.
    /// </summary>
    private static async Task<RolloutAnswer?> EarlierAsync(StoreContext db, Asker asker, CancellationToken cancellation)
    {
        if (asker.Key is null)
            return null;
        var earlier = await db.Set<RolloutRequestRow>().AsNoTracking().SingleOrDefaultAsync(r => r.ActorId == asker.Actor.Id && r.Key == asker.Key, cancellation);
        if (earlier is null)
            return null;
        if (earlier.Hash != asker.RequestHash)
            return new RolloutAnswer.KeyReused();
        var row = await db.Set<DeploymentRow>().AsNoTracking().SingleAsync(d => d.Label == earlier.Deployment, cancellation);
        return new RolloutAnswer.Replayed(Info(row) with { Operation = earlier.Operation });
    }

    /// <summary>What the project says where the manifest says nothing (ZW-55).</summary>
    private static ServiceSettings WithDefaults(ServiceSettings settings, ProjectRow project) => settings with
    {
        Limits = new ResourceLimits(settings.Limits.Millicores ?? project.Millicores, settings.Limits.MemoryBytes ?? project.MemoryBytes),
    };

    private static DeploymentInfo Info(DeploymentRow r) => new(
        r.Id, r.Label, r.Org, r.Project, r.Environment, r.Status, r.Why, SettingsOf(r), r.Manifest, r.Service, r.CommitSha, r.CommitMessage,
        r.Actor, r.Operation, r.CreatedAt, r.ActivatedAt, r.KeptUntil);

    /// <summary>Who asks, and what for: the same key with another request is refused.</summary>
    private sealed record Asker(Actor Actor, string? Key, object Request)
    {
        public string? RequestHash { get; } =
            Key is null ? null : Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(Request, Request.GetType(), Json.Options)));
    }

    /// <summary>Ends the transaction without keeping anything; never leaves this class.</summary>
    private sealed class NotAcceptedException(RolloutAnswer answer) : Exception
    {
        public RolloutAnswer Answer { get; } = answer;
    }
}
