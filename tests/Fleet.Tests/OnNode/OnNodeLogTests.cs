using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode;

public sealed class OnNodeLogTests
{
    [Fact]
    public async Task Rotation_keeps_the_log_within_its_bounds_and_the_newest_lines()
    {
        await using var node = await NodeBench.StartAsync(o => o with { LogFileBytes = 20_000, LogFiles = 3 });
        var spec = node.Shell("i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo line $i; done; sleep 1000");
        node.Run(spec);
        await Eventually.TrueAsync(async () => node.View(spec) is not null && (await node.LinesAsync(spec, tail: 3)).Any(l => l.Text == "line 5000"), "the last line");
        var files = Directory.GetFiles(Path.Combine(node.StateFolder, "instances", spec.InstanceId.ToString(), "logs"));
        Assert.InRange(files.Length, 1, 3);
        var numbers = (await node.LinesAsync(spec)).Where(l => l.Stream == "stdout").Select(l => int.Parse(l.Text[5..])).ToList();
        Assert.Equal(Enumerable.Range(numbers[0], numbers.Count), numbers);
        Assert.Equal(5000, numbers[^1]);
    }

    [Fact]
    public async Task Tail_and_since_choose_lines()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("echo one; echo two; echo three; sleep 1000");
        node.Run(spec);
        await Eventually.TrueAsync(async () => node.View(spec) is not null && (await node.LinesAsync(spec)).Any(l => l.Text == "three"), "the lines");
        Assert.Equal(["two", "three"], (await node.LinesAsync(spec, tail: 2)).Select(l => l.Text));
        Assert.Empty(await node.LinesAsync(spec, since: TimeProvider.System.GetUtcNow().AddHours(1)));
        Assert.Equal(4, (await node.LinesAsync(spec, since: TimeProvider.System.GetUtcNow().AddHours(-1))).Count);
    }

    [Fact]
    public async Task Follow_sends_lines_as_they_come_and_ends_with_the_instance()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("while :; do [ -e $INSTANCE_DIR/go ] && echo went && break; sleep 0.02; done; sleep 1000");
        node.Run(spec);
        await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null);
        var pipe = new Pipe();
        var question = JsonSerializer.SerializeToElement(new LogsQuestion(spec.InstanceId, null, null, true), Json.Options);
        await using var output = pipe.Writer.AsStream();
        var writing = node.Host.WriteAsync(question, output, TestContext.Current.CancellationToken);
        using var reader = new StreamReader(pipe.Reader.AsStream());
        var first = await reader.ReadLineAsync(TestContext.Current.CancellationToken);
        Assert.Contains("started, pid", first, StringComparison.Ordinal);
        await File.WriteAllTextAsync(node.Scratch(spec, "go"), "", TestContext.Current.CancellationToken);
        Assert.Contains("\"went\"", await reader.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        node.Stop(spec);
        await writing;
        await node.SeenAsync(spec, InstanceState.Stopped);
    }

    [Fact]
    public void A_long_line_is_cut_between_characters_and_nothing_is_lost()
    {
        using var folder = new TempFolder();
        var text = "a" + string.Concat(Enumerable.Repeat("ü", 20_000)) + "\r\nshort\nno end";
        File.WriteAllText(folder["stdout"], text);
        using var spool = new Spool(folder["stdout"], "stdout");
        var lines = new List<string>();
        while (spool.Read((line, _) => lines.Add(line), isOver: false))
            Assert.NotEmpty(lines);
        Assert.All(lines, l => Assert.True(Encoding.UTF8.GetByteCount(l) <= Spool.LongestLine));
        Assert.Equal("short", lines[^1]);
        spool.Read((line, _) => lines.Add(line), isOver: true);
        Assert.Equal(text.Replace("\r\n", "", StringComparison.Ordinal).Replace("short\n", "", StringComparison.Ordinal), string.Concat(lines.Where(l => l != "short")));
        Assert.DoesNotContain('\uFFFD', string.Concat(lines));
    }

    [Fact]
    public void What_was_read_takes_no_space_on_the_disk_any_more()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder["stdout"], string.Concat(Enumerable.Repeat(new string('x', 99) + "\n", 40_000)));
        using var spool = new Spool(folder["stdout"], "stdout");
        while (spool.Read((_, _) => { }, isOver: false))
            Assert.True(spool.Offset > 0);
        Assert.True(spool.WantsPunch);
        spool.Punch();
        Assert.False(spool.WantsPunch);
        File.AppendAllText(folder["stdout"], "after\n");
        var lines = new List<string>();
        spool.Read((line, _) => lines.Add(line), isOver: false);
        Assert.Equal(["after"], lines);
    }

    [Fact]
    public void A_torn_last_line_is_cut_off_and_read_from_the_spool_again()
    {
        using var folder = new TempFolder();
        var instance = new InstanceFolder(folder.Path, DurableFiles.Real);
        instance.Prepare();
        File.WriteAllText(Path.Combine(instance.Spool, "stdout"), "one\ntwo\n");
        var options = new InstanceHostOptions { StateFolder = folder.Path };
        using (var keeper = new LogKeeper(instance, options, new LogCounters(new MetricRegistry()), TimeProvider.System, new SeenLog()))
            keeper.Drain();
        var file = Directory.GetFiles(instance.Logs).Single();
        var text = File.ReadAllText(file);
        File.WriteAllText(file, text[..^7]);
        using var again = new LogKeeper(instance, options, new LogCounters(new MetricRegistry()), TimeProvider.System, new SeenLog());
        again.Drain();
        var texts = File.ReadAllLines(file).Select(l => StoredLine.Read(Encoding.UTF8.GetBytes(l))!.Text).OfType<string>();
        Assert.Equal(["one", "two"], texts);
    }

    [Fact]
    public void Output_beyond_the_limit_is_dropped_and_counted()
    {
        using var folder = new TempFolder();
        var instance = new InstanceFolder(folder.Path, DurableFiles.Real);
        instance.Prepare();
        File.WriteAllText(Path.Combine(instance.Spool, "stdout"), string.Concat(Enumerable.Repeat("0123456789\n", 1000)));
        var metrics = new MetricRegistry();
        using var keeper = new LogKeeper(instance, new InstanceHostOptions { StateFolder = folder.Path, MaxUnreadOutput = 1000 }, new LogCounters(metrics), TimeProvider.System, new SeenLog());
        keeper.Drain();
        Assert.Contains("groundcrew_instance_log_dropped_bytes_total 10500\n", metrics.WriteText(), StringComparison.Ordinal);
        Assert.Contains("were dropped", File.ReadAllText(Directory.GetFiles(instance.Logs).Single()), StringComparison.Ordinal);
    }
}
