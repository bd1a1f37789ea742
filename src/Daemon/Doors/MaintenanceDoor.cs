using System.Globalization;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Edge;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>Maintenance of an organization, or of all by those who act for all (ZM-111).</summary>
internal static class MaintenanceDoor
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(365);

    public static void MapMaintenance(this RouteGroupBuilder api)
    {
        api.MapGet("/maintenance", ListAsync).NeedsInAnyOrg(Role.Viewer).Produces<MaintenanceView[]>();
        api.MapPost("/maintenance", BeginAsync).NeedsInAnyOrg(Role.OnCall).Accepts<CreateMaintenance>(true, "application/json").Produces<MaintenanceView>(201);
        api.MapDelete("/maintenance/{id:guid}", EndAsync).NeedsInAnyOrg(Role.OnCall).Produces<MaintenanceView>();
    }

    private static async Task<IResult> ListAsync(HttpContext http, MaintenanceTimes times, int? limit, string? cursor, CancellationToken cancellation)
    {
        if (cursor is not null && !Guid.TryParse(cursor, out _))
            return Answers.BadInput([new Problem("bad-cursor", "cursor", $"'{cursor}' is not a place in this list.", "Use the address in the Link header of the page before.")]);
        var size = Paging.SizeOf(limit);
        var after = (await times.ListAsync(http.Actor().Org, cancellation)).Where(m => cursor is null || m.Id.CompareTo(Guid.Parse(cursor)) > 0).Take(size + 1).ToList();
        return Answers.View(Paging.Cut(http, after, size, m => m.Id.ToString()).Select(m => TrafficViews.Of(m, null)).ToArray());
    }

    private static async Task<IResult> BeginAsync(HttpContext http, MaintenanceTimes times, Routes routes, TimeProvider clock, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new CreateMaintenance(null, null, null, null, null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var actor = http.Actor();
        if (!actor.Allows(Role.OnCall, request.Org))
            return Answers.Problem(403, ProblemCodes.Forbidden, $"'{actor.Name}' may only act in {actor.Org}. Name it: \"org\": \"{actor.Org}\".");
        var (problems, now) = (new ProblemList(), clock.StoreNow());
        var retryAfter = EdgeDoor.Duration(request.RetryAfter, TimeSpan.Zero, "retryAfter", problems);
        var until = Until(request.Until, now, problems);
        var judged = times.Plan(new Maintenance(
            request.Org, request.Message, retryAfter, request.RetryAfterIsRemaining ?? false, now, until, request.Exempt ?? []), actor);
        // What could not be read is told by its own words, not by what is then missing.
        problems.AddRange(judged.Problems.Where(p => p.Path != "until" || problems.Problems.All(known => known.Path != "until")));
        if (!problems.IsEmpty || judged.Value is not { } info)
            return Answers.BadInput(problems.Problems);
        var change = await times.BeginAsync(info, actor, cancellation);
        if (change is not TrafficChange.Done { Generation: var generation })
            return EdgeDoor.Refusal(change);
        http.Response.Headers.Location = $"/api/v1/maintenance/{info.Id}";
        return Answers.View(TrafficViews.Of(info, TrafficViews.Of(await routes.AnswerAsync(generation, cancellation))), 201);
    }

    private static async Task<IResult> EndAsync(HttpContext http, Guid id, MaintenanceTimes times, Routes routes, CancellationToken cancellation)
    {
        var actor = http.Actor();
        if ((await times.ListAsync(actor.Org, cancellation)).FirstOrDefault(m => m.Id == id) is not { } info)
            return Answers.NotFound($"maintenance {id}");
        if (!actor.Allows(Role.OnCall, info.Maintenance.Org))
            return Answers.Problem(403, ProblemCodes.Forbidden, $"'{actor.Name}' may only act in {actor.Org}, and maintenance {id} is of all organizations.");
        return await times.EndAsync(id, actor, cancellation) is { } generation
            ? Answers.View(TrafficViews.Of(info, TrafficViews.Of(await routes.AnswerAsync(generation, cancellation))))
            : Answers.NotFound($"maintenance {id}");
    }

    private static DateTimeOffset? Until(string? text, DateTimeOffset now, ProblemList problems)
    {
        if (text is null)
            return null;
        if (Quantity.ParseDuration(text) is { } lasts)
        {
            if (lasts > TimeSpan.Zero && lasts <= Longest)
                return now + lasts;
        }
        else if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) && at > now && at <= now + Longest)
            return at.ToUniversalTime();
        problems.Add("bad-time", "until", $"'{text}' is not a time to come within {Quantity.Format(Longest)}.", "Use a duration such as 30m, or a time such as 2026-01-31T12:00:00Z.");
        return null;
    }
}
