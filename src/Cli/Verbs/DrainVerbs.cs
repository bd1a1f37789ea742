using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge drain</c> and <c>undrain</c>.</summary>
internal static class DrainVerbs
{
    public static IEnumerable<Verb> Of(CrewRoot root) => [Drain(root), Undrain(root)];

    private static Verb Drain(CrewRoot root)
    {
        var (label, instance, deadline) = (Args.Word("LABEL", "The deployment."), Instance(), Args.Text("--deadline", "TIME", "How long requests in flight are waited for. Default: 30s"));
        var force = new Option<bool>("--force") { Description = "Also when an environment is left without any instance that takes its traffic." };
        return new Verb("drain", "Give instances no new requests and wait until none is in flight. They run on.",
            "crew edge drain web-k3x9a2b-acme", "crew edge drain web-k3x9a2b-acme --instance 9f3c21aa --deadline 2m")
            .With(label, instance, deadline, force)
            .Does(root, async call =>
            {
                var (name, id) = (call.Value(label), await FindAsync(call, call.Value(label), call.Value(instance)));
                var ended = await call.Client.PostAsync<DrainView>($"deployments/{Args.Escape(name)}/drain", new DrainRequest(id, call.Value(deadline), call.Value(force)), call.Cancellation);
                call.Show(ended, d => Tell(call, d));
                var taken = EdgeVerbs.Ends(call, ended.Confirmation);
                return ended.State == "drained" ? taken : ExitCode.Failed;
            });
    }

    private static Verb Undrain(CrewRoot root)
    {
        var (label, instance) = (Args.Word("LABEL", "The deployment."), Instance());
        return new Verb("undrain", "Give instances requests again.", "crew edge undrain web-k3x9a2b-acme").With(label, instance).Does(root, async call =>
        {
            var (name, id) = (call.Value(label), await FindAsync(call, call.Value(label), call.Value(instance)));
            var back = await call.Client.PostAsync<DrainView>($"deployments/{Args.Escape(name)}/undrain", new UndrainRequest(id), call.Cancellation);
            call.Show(back, d => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {Of(d)} takes requests again"));
            return EdgeVerbs.Ends(call, back.Confirmation);
        });
    }

    private static void Tell(Call call, DrainView drain) => call.Out.Line(drain.State == "drained"
        ? $"{call.Out.Ink.Of(Tone.Good, "✓")} {Of(drain)} is drained: no request is in flight. Back: crew edge undrain {drain.Deployment}{(drain.Instance is { } id ? $" --instance {Text.Short(id)}" : "")}"
        : $"{call.Out.Ink.Of(Tone.Warning, "!")} {Of(drain)} still drains: {Text.Count(drain.InFlight, "request")} in flight, {drain.Upgraded} of them upgraded. It gets no new ones; see: crew edge");

    private static string Of(DrainView drain) => drain.Instance is { } id ? $"instance {Text.Short(id)} of {drain.Deployment}" : drain.Deployment;

    private static Option<string?> Instance() => Args.Text("--instance", "ID", "Only this instance: its id, or the end of it");

    private static async Task<Guid?> FindAsync(Call call, string label, string? instance)
    {
        if (instance is null)
            return null;
        var found = (await call.GetAsync<InstanceView[]>($"deployments/{Args.Escape(label)}/instances"))
            .Where(i => i.Id.ToString() == instance || (instance.Length >= 4 && i.Id.ToString().EndsWith(instance, StringComparison.OrdinalIgnoreCase))).ToList();
        return found.Count switch
        {
            1 => found[0].Id,
            0 => throw new CrewFailedException(ExitCode.NotFound, $"{label} has no instance '{instance}'. 'crew instances' lists them."),
            _ => throw new CrewFailedException(ExitCode.Conflict, $"{found.Count} instances answer to '{instance}'. Use one of their ids: {string.Join(", ", found.Select(i => i.Id))}"),
        };
    }
}
