using System.CommandLine;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary>
/// <c>crew logs</c> (ZW-84): the lines of all instances as they come. Followed over a control plane that restarts, without
/// a line twice.
/// </summary>
internal sealed class LogsVerb
{
    private static readonly Tone[] Colors = [Tone.Cyan, Tone.Magenta, Tone.Blue, Tone.Good, Tone.Warning];
    private readonly Argument<string> _of = Args.Word("ORG/PROJECT|LABEL", "The project, whose current deployment is meant, or a deployment.");
    private readonly Option<string?> _environment = Args.Environment();
    private readonly Option<bool> _follow = new("--follow", "-f") { Description = "Go on with lines as they come." };
    private readonly Option<int?> _tail = new("--tail") { Description = "The last N lines of each instance. Default: 100; 10 with --follow; all with --since", HelpName = "N" };
    private readonly Option<string?> _since = Args.Text("--since", "TIME", "Lines from then on: 10m, or 2026-01-31T12:00:00Z");
    private readonly Option<string?> _output = Args.Text("--output", "FILE", "Write to a file, which is there once the command ends");
    private readonly Option<bool> _plain = new("--plain") { Description = "The lines alone, as the service wrote them." };

    public static Verb Of(CrewRoot root)
    {
        var logs = new LogsVerb();
        return new Verb("logs", "Show what a service writes. Each line begins with the end of its instance's id.",
            "crew logs acme/web", "crew logs acme/web -f", "crew logs web-3k9x2mp-acme --since 10m --output web.log", "crew logs acme/web --json | jq -r .text")
        { Group = Groups.Look }
            .With(logs._of, logs._environment, logs._follow, logs._tail, logs._since, logs._output, logs._plain)
            .Does(root, logs.RunAsync);
    }

    private async Task<ExitCode> RunAsync(Call call)
    {
        var label = await LabelAsync(call);
        if (call.Value(_output) is not { } path)
        {
            await CopyAsync(call, label, call.Out.Writer, call.Out.IsTerminal);
            return ExitCode.Ok;
        }
        var lines = 0;
        await DurableFiles.Real.ReplaceAsync(Path.GetFullPath(path), async (stream, _) =>
        {
            await using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
            lines = await CopyAsync(call, label, writer, isTerminal: false);
            return true;
        }, CancellationToken.None);
        call.Words.Line($"{Text.Count(lines, "line")} in {path}");
        return ExitCode.Ok;
    }

    private async Task<string> LabelAsync(Call call)
    {
        if (ProjectName.Parse(call.Value(_of)) is not { } project)
            return (await call.GetAsync<DeploymentView>($"deployments/{Args.Escape(call.Value(_of))}")).Label;
        var environment = call.Value(_environment) is { } name ? $"?environment={Args.Escape(name)}" : "";
        return (await call.GetAsync<DeploymentView>($"{project.Path}/deployments/current{environment}")).Label;
    }

    /// <summary>Ctrl-C is how following ends, so it is no failure.</summary>
    private async Task<int> CopyAsync(Call call, string label, TextWriter output, bool isTerminal)
    {
        var (lines, follow) = (new Lines(this, call, output, isTerminal), call.Value(_follow));
        long? awaySince = null;
        try
        {
            while (true)
            {
                try
                {
                    await foreach (var line in call.Client.LinesAsync(Address(call, label, lines.Last), "application/x-ndjson", call.Cancellation))
                    {
                        awaySince = null;
                        lines.Write(line);
                    }
                    if (!follow)
                        return Ended(call, lines);
                    lines.BeginAgain();
                }
                catch (Exception e) when (follow && e is CrewUnreachableException or IOException or HttpRequestException or JsonException
                    && (awaySince is not { } since || call.Clock.GetElapsedTime(since) < PatientHandler.Patience))
                {
                    // A stream that broke was open until now, however quiet it was.
                    if (awaySince is null || e is not CrewUnreachableException)
                        awaySince = call.Clock.GetTimestamp();
                    lines.SayAway();
                }
                await Task.Delay(PatientHandler.Pause, call.Clock, call.Cancellation);
            }
        }
        catch (OperationCanceledException) when (follow && call.Cancellation.IsCancellationRequested)
        {
            return lines.Count;
        }
    }

    private static int Ended(Call call, Lines lines)
    {
        if (lines.Count == 0 && !call.IsJson)
            call.Words.Line("No lines. Wait for some with --follow, or go further back with --since 24h.");
        return lines.Count;
    }

    private string Address(Call call, string label, DateTimeOffset? last)
    {
        var query = new List<string>();
        if (last is { } from)
            query.Add($"since={Args.Escape(from.ToString("O"))}");
        else if (call.Value(_since) is { } since)
            query.Add($"since={Args.Escape(since)}");
        if (last is null && (call.Value(_tail) ?? (call.Has(_since) ? null : call.Value(_follow) ? 10 : 100)) is { } tail)
            query.Add($"tail={tail}");
        if (call.Value(_follow))
            query.Add("follow=true");
        return $"deployments/{Args.Escape(label)}/logs?{string.Join('&', query)}";
    }

    private sealed record LogLine(DateTimeOffset At, string Stream, string Text, Guid InstanceId);

    /// <summary>Writes lines, and knows what was written when the stream has to be opened anew.</summary>
    private sealed class Lines(LogsVerb verb, Call call, TextWriter output, bool isTerminal)
    {
        private readonly Dictionary<Guid, (Tone Tone, DateTimeOffset Last)> _instances = [];
        private readonly bool _isPlain = call.Value(verb._plain);
        private bool _isAway;
        private bool _isAgain;

        public int Count { get; private set; }

        /// <summary>The time up to which every instance's lines are there; null before the first.</summary>
        public DateTimeOffset? Last => _isAgain && _instances.Count > 0 ? _instances.Values.Min(i => i.Last) : null;

        public void Write(string json)
        {
            var line = JsonSerializer.Deserialize<LogLine>(json, Json.Options)!;
            var (tone, last) = _instances.GetValueOrDefault(line.InstanceId, (Colors[_instances.Count % Colors.Length], DateTimeOffset.MinValue));
            if (_isAgain && line.At <= last)
                return;
            _instances[line.InstanceId] = (tone, line.At);
            _isAway = false;
            Count++;
            output.WriteLine(call.IsJson ? json : _isPlain ? Shown(line.Text) : $"{Prefix(line, tone)} {Shown(line.Text)}");
            if (isTerminal)
                output.Flush();
        }

        public void SayAway()
        {
            if (!_isAway)
                call.Words.Line("The control plane is away; waiting for it to come back.");
            _isAway = true;
            BeginAgain();
        }

        /// <summary>The stream is opened anew: what was written already is left out.</summary>
        public void BeginAgain() => _isAgain = true;

        private string Prefix(LogLine line, Tone tone) => isTerminal ? call.Out.Ink.Of(tone, line.InstanceId.ToString()[^6..]) : line.InstanceId.ToString()[^6..];

        private string Shown(string text) => isTerminal ? Speaking.Text.Clean(text) : text;
    }
}
