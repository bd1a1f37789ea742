using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Settings;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>The platform at a glance, and a backup of its store while it runs.</summary>
internal static class StatusDoor
{
    public static void MapStatus(this RouteGroupBuilder api)
    {
        var status = api.MapGroup("").WithTags("platform");
        status.MapGet("/status", StatusAsync).Needs(Role.Viewer).Produces<StatusView>();
        status.MapPost("/store/backup", BackupAsync).Needs(Role.Admin).Accepts<BackupRequest>("application/json").Produces<BackupView>(201);
    }

    private static async Task<IResult> StatusAsync(
        Store store, Nodes nodes, Projects projects, Operations operations, Routes routes, Loops loops, Views views, RoleSettings settings,
        CancellationToken cancellation)
    {
        var state = await store.StateAsync(cancellation);
        var running = await operations.ListAsync(new OperationFilter(State: OperationState.Running), 1000, null, cancellation);
        return Answers.View(new StatusView(
            ProgramVersion.Text, store.PlatformId, settings.Platform.BaseDomain, settings.Platform.EdgePort,
            $"{state.Engine}, {Quantity.FormatBytes(state.SizeBytes)}",
            [.. (await nodes.ListAsync(cancellation)).Select(views.Of)],
            (await projects.ListAsync(10_000, null, cancellation)).Count, running.Items.Count, (await routes.CurrentAsync(cancellation)).Generation,
            [.. loops.Views.Select(l => new LoopStatusView(l.Name, l.LastStartedAt, l.LastDuration?.TotalMilliseconds, l.LastError ?? l.LastResult, l.FailuresInARow))]));
    }

    private static async Task<IResult> BackupAsync(HttpContext http, Store store, Audit audit, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new BackupRequest(null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        if (request.File is null || !Path.IsPathFullyQualified(request.File))
            return Answers.BadInput([new Problem("bad-path", "file", $"'{request.File}' is not a full path.", "Name the file from the root folder.")]);
        var made = await store.BackupAsync(request.File, cancellation);
        await audit.WriteAsync(http.Actor(), "store.backup", request.File, made.Value is null ? "refused" : "done", cancellation: cancellation);
        return made.Value is { } backup
            ? Answers.View(new BackupView(backup.File, backup.SizeBytes, backup.At), 201)
            : Answers.BadInput(made.Problems);
    }
}
