using System.Text.Json;
using Groundcrew.Cli;
using Xunit;

namespace Groundcrew.Daemon.Tests;

public sealed class PromQLVerbsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("promql").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Scripts_are_run_and_failures_named_by_file_and_line()
    {
        Write("good.test", "load 1m\n  m 1 2 3\n\neval instant at 1m m\n  m 2\n");
        var (code, output, _) = await RunAsync("promql", "test", _folder);
        Assert.Equal((0, "1 passed, 0 failed\n"), (code, output));

        Write("wrong.test", "load 1m\n  m 1 2 3\n\neval instant at 1m m\n  m 5\n\neval instant at 1m 1\n  1\n");
        (code, output, _) = await RunAsync("promql", "test", _folder);
        Assert.Equal(1, code);
        Assert.Contains("wrong.test:4: m\n", output, StringComparison.Ordinal);
        Assert.Contains("expected: {__name__=\"m\"} 5\n  actual:   {__name__=\"m\"} 2\n", output, StringComparison.Ordinal);
        Assert.EndsWith("2 passed, 1 failed\n", output, StringComparison.Ordinal);

        (code, output, _) = await RunAsync("promql", "test", _folder, "--json");
        var report = JsonDocument.Parse(output).RootElement;
        Assert.Equal((1, 2, 1), (code, report.GetProperty("passed").GetInt32(), report.GetProperty("failed").GetInt32()));
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_said()
    {
        var (code, _, error) = await RunAsync("promql", "test", Path.Combine(_folder, "absent.test"));
        Assert.Equal((int)ExitCode.NotFound, code);
        Assert.Contains("absent.test", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_query_is_formatted_or_refused()
    {
        Assert.Equal((0, "sum by (a) (rate(foo[5m]))\n", ""), await RunAsync("promql", "format", "sum(rate(foo[300s]))by(a)"));
        Assert.Equal(((int)ExitCode.Refused, "", "crew: 1:5: parse error: unclosed left parenthesis\n  sum(\n      ^\n"), await RunAsync("promql", "format", "sum("));
    }

    [Fact]
    public async Task A_query_is_explained_part_by_part()
    {
        var (code, output, _) = await RunAsync("promql", "explain", "abs(foo[1h:] offset 10m) ", "--start", "2026-01-31T12:00:00Z");
        Assert.Equal((int)ExitCode.Refused, code);
        (code, output, _) = await RunAsync("promql", "explain", "max_over_time(foo{a=\"b\"}[1h:] offset 10m)", "--start", "2026-01-31T12:00:00Z");
        Assert.Equal(0, code);
        Assert.Equal("""
            function max_over_time (instant vector): max_over_time(foo{a="b"}[1h:] offset 10m)
              subquery (range vector): foo{a="b"}[1h:] offset 10m
                selector (instant vector): foo{a="b"}
                  reads a="b", __name__="foo" after 2026-01-31T10:45:00Z up to 2026-01-31T11:50:00Z, 5m for each step

            """.ReplaceLineEndings("\n"), output);
    }

    private void Write(string name, string text)
    {
        using var file = File.CreateText(Path.Combine(_folder, name));
        file.Write(text);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        await using var output = new StringWriter { NewLine = "\n" };
        await using var error = new StringWriter { NewLine = "\n" };
        var root = CrewCommands.Build(TimeProvider.System);
        root.Subcommands.Add(new PromQLVerbs(root, output, error).Verb());
        return (await CrewCommands.RunAsync(root, args, TestContext.Current.CancellationToken), output.ToString(), error.ToString());
    }
}
