using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>Operations: looked at, followed as server-sent events (WHATWG HTML, section 9.2), and resumed when stuck.</summary>
internal static class OperationsDoor
{
    public static void MapOperations(this RouteGroupBuilder api)
    {
        var operations = api.MapGroup("/operations").WithTags("operations");
        operations.MapGet("", ListAsync).NeedsInAnyOrg(Role.Viewer).Produces<OperationStatusView[]>();
        operations.MapGet("{id:guid}", FindAsync).NeedsInAnyOrg(Role.Viewer).Produces<OperationStatusView>();
        operations.MapGet("{id:guid}/events", WatchAsync).NeedsInAnyOrg(Role.Viewer).Produces<OperationStatusView>(200, "text/event-stream");
        operations.MapPost("{id:guid}/resume", ResumeAsync).NeedsInAnyOrg(Role.OnCall).Produces<OperationStatusView>(202);
    }

    private static async Task<IResult> ListAsync(HttpContext http, Operations operations, string? subject, int? limit, string? cursor, CancellationToken cancellation)
    {
        if (Paging.Judge(cursor) is { } refused)
            return refused;
        var org = http.Actor().Org;
        var filter = new OperationFilter(Subject: subject, SubjectPrefix: org is null ? null : org + "/");
        var page = await operations.ListAsync(filter, Paging.SizeOf(limit), PageCursor.Parse(cursor), cancellation);
        if (page.Next is { } next)
            Paging.Next(http, next.ToString());
        return Answers.View(page.Items.Select(o => Views.Of(o, [])).ToArray());
    }

    private static async Task<IResult> FindAsync(HttpContext http, Guid id, Operations operations, CancellationToken cancellation) =>
        await VisibleAsync(http, id, operations, cancellation) is { } found
            ? Answers.View(Views.Of(found, await operations.LinesAsync(id, cancellation)))
            : Answers.NotFound($"operation {id}");

    private static async Task<IResult> WatchAsync(HttpContext http, Guid id, Operations operations, CancellationToken cancellation)
    {
        if (await VisibleAsync(http, id, operations, cancellation) is null)
            return Answers.NotFound($"operation {id}");
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
        await http.Response.Body.FlushAsync(cancellation);
        var lines = new List<OperationLine>();
        OperationView? view = null;
        await foreach (var happened in operations.WatchAsync(id, cancellation))
        {
            switch (happened)
            {
                case OperationEvent.Snapshot snapshot:
                    (view, lines) = (snapshot.Operation, [.. snapshot.Lines]);
                    break;
                case OperationEvent.Changed changed:
                    view = changed.Operation;
                    break;
                case OperationEvent.Said said:
                    lines.Add(said.Line);
                    break;
                case OperationEvent.Ended ended:
                    view = ended.Operation;
                    break;
            }
            if (view is not null)
                await SendAsync(http.Response, Views.Of(view, lines), cancellation);
        }
        return Results.Empty;
    }

    private static async Task SendAsync(HttpResponse response, OperationStatusView view, CancellationToken cancellation)
    {
        await response.WriteAsync($"data: {JsonSerializer.Serialize(view, Json.Options)}\n\n", cancellation);
        await response.Body.FlushAsync(cancellation);
    }

    private static async Task<IResult> ResumeAsync(HttpContext http, Guid id, Operations operations, Store store, Audit audit, CancellationToken cancellation)
    {
        if (await VisibleAsync(http, id, operations, cancellation) is null)
            return Answers.NotFound($"operation {id}");
        var result = await store.WriteAsync(async (db, cancel) =>
        {
            var resumed = await operations.ResumeAsync(db, id, cancel);
            audit.Write(db, http.Actor(), "operation.resume", id.ToString(), Views.Word(resumed));
            return resumed;
        }, cancellation);
        return result switch
        {
            ResumeResult.Resumed => Answers.View(Views.Of((await operations.FindAsync(id, cancellation))!, []), 202),
            ResumeResult.NotFound => Answers.NotFound($"operation {id}"),
            _ => Answers.Problem(409, ProblemCodes.Conflict, $"Operation {id} is not stuck: there is nothing to resume."),
        };
    }

    private static async Task<OperationView?> VisibleAsync(HttpContext http, Guid id, Operations operations, CancellationToken cancellation) =>
        await operations.FindAsync(id, cancellation) is { } found && http.Actor().Allows(Role.Viewer, found.Subject.Split('/')[0]) ? found : null;
}
