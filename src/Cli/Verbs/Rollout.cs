using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Following;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;
using Groundcrew.Contract.Manifest;

namespace Groundcrew.Cli.Verbs;

/// <summary>From an accepted deployment, rollback or promotion to its end, and what a person wants to know then.</summary>
internal static class Rollout
{
    public static async Task<(DeploymentView Deployment, ExitCode Code)> ConcludeAsync(Call call, DeploymentView accepted, string doing, bool wait)
    {
        var project = new ProjectName(accepted.Org, accepted.Project);
        call.Words.Line($"{call.Words.Ink.Of(Tone.Strong, doing)} {project} in {accepted.Environment}: {accepted.Label}");
        if (!wait)
        {
            call.Words.Line($"  Accepted. Follow it: crew operations watch {accepted.Operation}");
            if (!call.IsJson)
                call.Out.Line(accepted.Label);
            return (accepted, ExitCode.Ok);
        }
        var ended = await Waiting.FollowAsync(call, accepted.Operation);
        var now = await call.GetAsync<DeploymentView>($"deployments/{Args.Escape(accepted.Label)}");
        var code = Waiting.Conclude(call, ended, $"The version before serves on, untouched. See why: crew logs {accepted.Label}");
        if (code == ExitCode.Ok)
            await TellAsync(call, project, now);
        return (now, code);
    }

    private static async Task TellAsync(Call call, ProjectName project, DeploymentView now)
    {
        if (call.IsJson)
            return;
        var screen = call.Out;
        if (now.Status == "stopped")
        {
            screen.Line($"{screen.Ink.Of(Tone.Good, "✓")} {project} in {now.Environment} is stopped: {now.Label} serves no more");
            screen.Field("  bring back", $"crew start {project}{(now.Environment == SystemManifest.Production ? "" : $" --environment {now.Environment}")}");
            return;
        }
        var isProduction = now.Environment == SystemManifest.Production;
        screen.Line($"{screen.Ink.Of(Tone.Good, "✓")} {project} in {now.Environment} is {now.Label}, {now.Ready} of {now.Instances} ready");
        screen.Field("  deployment", now.Url, Tone.Cyan);
        if (isProduction)
            screen.Field("  production", (await call.GetAsync<ProjectView>(project.Path)).Url, Tone.Cyan);
        screen.Field("  go back", $"crew rollback {project}{(isProduction ? "" : $" --environment {now.Environment}")}");
        var others = await call.GetAsync<DeploymentView[]>($"{project.Path}/deployments?environment={Args.Escape(now.Environment)}&limit=20");
        if (others.Where(d => d.Label != now.Label && d.Status == "inactive" && d.KeptUntil > call.Now).OrderByDescending(d => d.KeptUntil).FirstOrDefault() is { } previous)
            screen.Field("  until then", $"{previous.Label} stays running until {previous.KeptUntil:HH:mm} UTC ({Speaking.Text.Ago(previous.KeptUntil!.Value, call.Now)})");
    }
}
