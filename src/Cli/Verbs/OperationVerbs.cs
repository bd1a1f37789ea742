using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Following;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew operations</c>.</summary>
internal static class OperationVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var limit = Args.Limit();
        var maybe = new Argument<string?>("ID") { Description = "Show this one; its last characters are enough.", Arity = ArgumentArity.ZeroOrOne };
        return new Verb("operations", "List operations; show, follow or resume one.",
            "crew operations", "crew operations show 9f3c21aa", "crew operations watch 9f3c21aa", "crew operations resume 9f3c21aa")
        { Group = Groups.Look }
            .With(maybe, limit, new Verb("list", "List operations, the newest first.").Does(root, call => ListAsync(call, 50)), One(root, "show", "Show an operation and its steps.", ShowAsync),
                One(root, "watch", "Follow an operation to its end. Ends as a deploy does.", WatchAsync),
                One(root, "resume", "Go on with a stuck operation, once its cause is gone, and follow it.", ResumeAsync))
            .Does(root, async call => call.Parsed.GetValue(maybe) is { } id ? await ShowAsync(call, await IdAsync(call, id)) : await ListAsync(call, call.Value(limit)));
    }

    private static Verb One(CrewRoot root, string name, string description, Func<Call, Guid, Task<ExitCode>> action)
    {
        var id = Args.Word("ID", "The operation; the last characters of its id are enough.");
        return new Verb(name, description).With(id).Does(root, async call => await action(call, await IdAsync(call, call.Value(id))));
    }

    private static async Task<ExitCode> ListAsync(Call call, int limit) =>
        call.List((await call.GetAsync<OperationStatusView[]>($"operations?limit={limit}")).OrderByDescending(o => o.CreatedAt).ToArray(),
            "No operations yet. A deploy is one: crew deploy DIR", list =>
            {
                var table = new Listing(new("ID"), new("KIND"), new("SUBJECT", Least: 12), new("STATE"), new("OUTCOME"), new("BY", Least: 6), new("BEGAN"), new("WHY", Least: 8));
                foreach (var o in list)
                    table.Add(Text.Short(o.Id), o.Kind, o.Subject, Cell.State(o.State), Cell.State(o.Outcome ?? "-"), o.Actor, Text.Ago(o.CreatedAt, call.Now), o.Why ?? "");
                return table;
            });

    private static async Task<ExitCode> ShowAsync(Call call, Guid id)
    {
        var operation = await call.GetAsync<OperationStatusView>($"operations/{id}");
        return call.Show(operation, o =>
        {
            var screen = call.Out;
            screen.Line(screen.Ink.Of(Tone.Strong, Text.FirstLine(o.Summary)));
            screen.Field("id", o.Id.ToString());
            screen.Field("about", $"{o.Kind} of {o.Subject}");
            screen.Field("state", o.Outcome is null ? o.State : $"{o.State}: {o.Outcome}", Ink.OfState(o.Outcome ?? o.State));
            screen.Field("why", o.Why);
            screen.Field("by", o.Actor);
            screen.Field("began", $"{o.CreatedAt:yyyy-MM-dd HH:mm:ss} UTC ({Text.Ago(o.CreatedAt, call.Now)})");
            screen.Field("took", o.EndedAt is { } ended ? Text.Took(ended - o.CreatedAt) : null);
            foreach (var (row, tone) in OperationSteps.Rows(o, call.Now, screen.IsTerminal ? screen.Width : int.MaxValue, 0))
                screen.Line(screen.Ink.Of(tone, row));
            if (o.State == "stuck")
                screen.Line($"Once its cause is gone: crew operations resume {Text.Short(o.Id)}");
        });
    }

    private static async Task<ExitCode> WatchAsync(Call call, Guid id)
    {
        var ended = await Waiting.FollowAsync(call, id);
        call.Show(ended, o =>
        {
            if (o.Outcome == "succeeded")
                call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {Text.FirstLine(o.Why ?? o.Summary)}");
        });
        return Waiting.Conclude(call, ended, "What stood before stands.");
    }

    private static async Task<ExitCode> ResumeAsync(Call call, Guid id)
    {
        await call.Client.PostAsync<OperationStatusView>($"operations/{id}/resume", null, call.Cancellation);
        return await WatchAsync(call, id);
    }

    private static async Task<Guid> IdAsync(Call call, string text)
    {
        if (Guid.TryParse(text, out var id))
            return id;
        var found = text.Length < 4 ? [] : (await call.GetAsync<OperationStatusView[]>("operations?limit=1000")).Where(o => o.Id.ToString().EndsWith(text, StringComparison.OrdinalIgnoreCase)).ToList();
        return found.Count switch
        {
            1 => found[0].Id,
            0 => throw new CrewFailedException(ExitCode.NotFound, $"There is no operation '{text}'. 'crew operations' lists them."),
            _ => throw new CrewFailedException(ExitCode.Conflict, $"{found.Count} operations end with '{text}'. Give more of the id."),
        };
    }
}
