using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode;

public sealed class OnNodeLinkTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly SeenLog _log = new();
    private readonly MetricRegistry _metrics = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Tasks_come_by_kind_and_their_reports_go_back()
    {
        await using var control = await FakeControlPlane.StartAsync();
        var handler = new Recorder("shape");
        await using var link = Link(control, handler);
        control.Say(2, [Task("a", "shape", 1), Task("b", "other", 1)]);
        await Eventually.TrueAsync(() => handler.Applied.Any(l => l.Count == 1 && l[0].Key == "a"), "the task");
        handler.Set("a", 1, "done");
        await Eventually.TrueAsync(() => control.Latest.TryGetValue("a", out var r) && r.Status.GetString() == "done", "the report");
        Assert.True(link.Connected);
        Assert.Equal(control.Platform, link.Platform);
        Assert.Contains("groundcrew_link_connected 1", _metrics.WriteText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_platform_is_refused_and_none_of_its_tasks_is_applied()
    {
        var handler = new Recorder("shape");
        await using (var ours = await FakeControlPlane.StartAsync())
        {
            await using var first = Link(ours, handler);
            await Eventually.TrueAsync(() => first.Connected, "the first contact");
        }
        await using var other = await FakeControlPlane.StartAsync();
        other.Say(2, [Task("a", "shape", 1)]);
        await using var link = Link(other, handler);
        await Eventually.TrueAsync(() => other.Hellos >= 2, "it keeps trying");
        Assert.False(link.Connected);
        Assert.DoesNotContain(handler.Applied, l => l.Count > 0);
        Assert.Contains(_log.All, l => l.Contains("belongs to", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_platform_that_changes_under_a_standing_link_is_refused()
    {
        await using var control = await FakeControlPlane.StartAsync();
        var handler = new Recorder("shape");
        await using var link = Link(control, handler);
        await Eventually.TrueAsync(() => !control.Reports.IsEmpty, "it stands");
        control.Platform = Guid.NewGuid();
        control.Say(2, [Task("a", "shape", 1)]);
        await Eventually.TrueAsync(() => _log.All.Any(l => l.Contains("belongs to", StringComparison.Ordinal)), "the refusal");
        Assert.DoesNotContain(handler.Applied, l => l.Count > 0);
    }

    [Fact]
    public async Task After_a_lost_control_plane_everything_is_reported_again()
    {
        var handler = new Recorder("shape");
        handler.Set("a", 1, "done");
        var control = await FakeControlPlane.StartAsync();
        await using var link = Link(control, handler);
        await Eventually.TrueAsync(() => control.Latest.ContainsKey("a"), "the report");
        await Eventually.TrueAsync(() => control.Reports.Any(r => r.Reports.Count == 0), "an empty heartbeat");
        await control.DisposeAsync();
        await Eventually.TrueAsync(() => !link.Connected, "the loss is seen");
        await using var again = await FakeControlPlane.StartAsync(control.Port, control.Platform);
        again.Say(1, [Task("b", "shape", 1)]);
        await Eventually.TrueAsync(() => again.Latest.ContainsKey("a"), "the whole report");
        await Eventually.TrueAsync(() => handler.Applied.Any(l => l.Any(t => t.Key == "b")), "tasks of a lower revision are taken again");
        Assert.True(link.Connected);
    }

    [Fact]
    public async Task A_node_that_is_not_known_any_more_says_hello_again()
    {
        await using var control = await FakeControlPlane.StartAsync();
        await using var link = Link(control, new Recorder("shape"));
        await Eventually.TrueAsync(() => !control.Reports.IsEmpty, "it stands");
        control.FailTasksWith = System.Net.HttpStatusCode.NotFound;
        control.Say(9, []);
        await Eventually.TrueAsync(() => control.Hellos >= 2, "hello again");
        // Counted once the answer is there, which is after the control plane saw the hello.
        await Eventually.TrueAsync(() => !_metrics.WriteText().Contains("groundcrew_link_reconnects_total 0\n", StringComparison.Ordinal), "the reconnect is counted");
    }

    [Fact]
    public async Task Reports_go_on_while_tasks_fail()
    {
        await using var control = await FakeControlPlane.StartAsync();
        var handler = new Recorder("shape");
        control.FailTasksWith = System.Net.HttpStatusCode.InternalServerError;
        await using var link = Link(control, handler);
        handler.Set("a", 1, "done");
        await Eventually.TrueAsync(() => control.Latest.ContainsKey("a"), "the report");
        Assert.Equal(1, control.Hellos);
    }

    [Fact]
    public async Task A_wrong_token_says_what_to_do()
    {
        await using var control = await FakeControlPlane.StartAsync();
        await using var link = Make(control.Address, "wrong-token");
        link.Start();
        await Eventually.TrueAsync(() => _log.All.Any(l => l.Contains("make a new node token", StringComparison.Ordinal)), "the advice");
        Assert.DoesNotContain(_log.All, l => l.Contains("wrong-token", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_that_is_replaced_needs_no_restart()
    {
        await using var control = await FakeControlPlane.StartAsync();
        var asked = 0;
        await using var link = Make(control.Address, () => Interlocked.Increment(ref asked) switch
        {
            1 => new Secret("old-token"),
            2 => throw new IOException("the file is just being replaced"),
            _ => new Secret("right-token"),
        });
        link.Start();
        await Eventually.TrueAsync(() => link.Connected, "the link stands with the new token");
        Assert.Contains(_log.All, l => l.Contains("just being replaced", StringComparison.Ordinal));
        Assert.Equal(3, Volatile.Read(ref asked));
    }

    [Fact]
    public async Task Streams_are_answered_and_those_beyond_the_limit_are_refused_at_once()
    {
        await using var control = await FakeControlPlane.StartAsync();
        var source = new Held();
        await using var link = Make(control.Address);
        link.Register(source);
        link.Start();
        var asked = Enumerable.Range(0, 33).Select(_ => new StreamRequest(Guid.NewGuid(), "held", JsonSerializer.SerializeToElement("q"))).ToArray();
        control.Say(2, [], asked);
        await Eventually.TrueAsync(() => control.Streams.Count == 1, "the refused one");
        Assert.Empty(control.Streams.Single().Value);
        Assert.Contains("groundcrew_link_streams_refused_total 1\n", _metrics.WriteText(), StringComparison.Ordinal);
        source.Go.SetResult();
        await Eventually.TrueAsync(() => control.Streams.Count == 33, "the others");
        Assert.Equal(32, control.Streams.Count(s => System.Text.Encoding.UTF8.GetString(s.Value) == "answer"));
    }

    [Fact]
    public async Task An_instance_runs_by_the_link_alone_and_its_log_streams_back()
    {
        await using var control = await FakeControlPlane.StartAsync();
        control.Secrets["KEY"] = "value-of-the-key";
        await using var node = await NodeBench.StartAsync();
        await using var link = Make(control.Address);
        var sources = new LinkSources(link);
        await using var host = new InstanceHost(
            new InstanceHostOptions { StateFolder = _folder["node"], SearchPath = node.Options.SearchPath }, sources, sources, _metrics, TimeProvider.System, _log);
        await host.StartAsync();
        link.Register((INodeTaskHandler)host);
        link.Register((INodeStreamSource)host);
        link.Start();
        var archive = NodeBench.Pack(("main.py", NodeBench.Server));
        var spec = node.Spec(new RunCommand(null, ["python3", "main.py"]), node.Add(archive)) with { SecretVariables = ["KEY"] };
        control.Artifacts[spec.Artifact] = archive;
        // Late, twice, and an older one among them.
        control.Say(2, [NodeBench.Task(spec, InstanceDesire.Run, 2)]);
        control.Say(3, [NodeBench.Task(spec, InstanceDesire.Run, 2), NodeBench.Task(spec, InstanceDesire.Stop, 1)]);
        var key = spec.InstanceId.ToString();
        await Eventually.TrueAsync(() => control.Latest.TryGetValue(key, out var r) && State(r) == InstanceState.Ready, "it is ready");
        var stream = Guid.NewGuid();
        control.Say(4, [NodeBench.Task(spec, InstanceDesire.Run, 2)], new StreamRequest(stream, LogsQuestion.Kind, JsonSerializer.SerializeToElement(new LogsQuestion(spec.InstanceId, 10, null, false), Json.Options)));
        await Eventually.TrueAsync(() => control.Streams.ContainsKey(stream), "the log");
        Assert.Contains(NodeBench.Read(control.Streams[stream]), l => l.Text == "listening");
        control.Say(5, [NodeBench.Task(spec, InstanceDesire.Stop, 3)]);
        await Eventually.TrueAsync(() => State(control.Latest[key]) == InstanceState.Stopped, "it stopped");
    }

    private static InstanceState State(TaskReport report) => report.Status.Deserialize<InstanceStatus>(Json.Options)!.State;

    private NodeLink Link(FakeControlPlane control, params INodeTaskHandler[] handlers)
    {
        var link = Make(control.Address);
        foreach (var handler in handlers)
            link.Register(handler);
        link.Start();
        return link;
    }

    private NodeLink Make(Uri address, string token = "right-token") => Make(address, () => new Secret(token));

    private NodeLink Make(Uri address, Func<Secret> token) => new(
        new NodeLinkOptions
        {
            ControlPlane = address, Token = token, Hostname = "box", Role = NodeRole.Worker, Region = "eu",
            Capacity = new NodeCapacity(2000, 1 << 30), Version = "0.1.0", StateFolder = _folder.Path, Heartbeat = TimeSpan.FromMilliseconds(300),
        },
        _metrics, TimeProvider.System, _log);

    private static NodeTask Task(string key, string kind, long generation) => new(key, kind, generation, JsonSerializer.SerializeToElement("x"));

    private sealed class Held : INodeStreamSource
    {
        public TaskCompletionSource Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Kind => "held";

        public async Task WriteAsync(JsonElement question, Stream output, CancellationToken cancellation)
        {
            await Go.Task.WaitAsync(cancellation);
            await output.WriteAsync("answer"u8.ToArray(), cancellation);
        }
    }

    internal sealed class Recorder(string kind) : INodeTaskHandler
    {
        private readonly Dictionary<string, TaskReport> _reports = [];
        private readonly List<IReadOnlyList<NodeTask>> _applied = [];

        public string Kind => kind;

        public Nudge Changed { get; } = new();

        public IReadOnlyList<IReadOnlyList<NodeTask>> Applied
        {
            get
            {
                lock (_applied)
                    return [.. _applied];
            }
        }

        public void Apply(IReadOnlyList<NodeTask> tasks)
        {
            lock (_applied)
                _applied.Add(tasks);
        }

        public IReadOnlyList<TaskReport> Current()
        {
            lock (_reports)
                return [.. _reports.Values];
        }

        public void Set(string key, long generation, string status)
        {
            lock (_reports)
                _reports[key] = new TaskReport(key, generation, JsonSerializer.SerializeToElement(status));
            Changed.Set();
        }
    }
}
