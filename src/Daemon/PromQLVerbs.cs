using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Cli;
using Groundcrew.PromQL;

namespace Groundcrew.Daemon;

/// <summary>The verbs about the query language, <c>crew promql</c>: none of them needs a control plane.</summary>
internal sealed class PromQLVerbs(CrewRoot root, TextWriter output, TextWriter error)
{
    private static readonly TimeSpan Lookback = new EngineOptions().Lookback;

    public Command Verb() => new("promql", "Test, format and explain queries in PromQL, without a control plane.") { Test(), Format(), Explain() };

    private Command Test()
    {
        var paths = new Argument<string[]>("FILE") { Description = "Test scripts in the format of Prometheus, or folders with *.test.", Arity = ArgumentArity.OneOrMore };
        var command = new Command("test", "Run test scripts against the query engine; says each evaluation that is not as expected.") { paths };
        command.SetAction((parsed, cancellation) => TestAsync(parsed.GetValue(paths)!, root.IsJson(parsed), cancellation));
        return command;
    }

    private Command Format()
    {
        var query = new Argument<string>("EXPR") { Description = "The query." };
        var command = new Command("format", "Print a query as Prometheus formats it.") { query };
        command.SetAction((parsed, _) => WithExprAsync(parsed.GetValue(query)!, expr => root.IsJson(parsed) ? Serialized(ExprPrinter.Pretty(expr)) : ExprPrinter.Pretty(expr)));
        return command;
    }

    private Command Explain()
    {
        var query = new Argument<string>("EXPR") { Description = "The query." };
        var start = new Option<string?>("--start") { Description = "The first step, as seconds since 1970 or as in RFC 3339. Default: now.", HelpName = "TIME" };
        var end = new Option<string?>("--end") { Description = "The last step. Default: the first.", HelpName = "TIME" };
        var command = new Command("explain", "Say part by part what a query gives and which time each selector reads.") { query, start, end };
        command.SetAction((parsed, _) => ExplainAsync(parsed.GetValue(query)!, parsed.GetValue(start), parsed.GetValue(end), root.IsJson(parsed)));
        return command;
    }

    private async Task<int> TestAsync(IReadOnlyList<string> paths, bool json, CancellationToken cancellation)
    {
        var files = paths.SelectMany(FilesOf).ToList();
        if (files.Find(file => !File.Exists(file)) is { } missing)
        {
            await error.WriteLineAsync($"crew: there is no file {missing}");
            return (int)ExitCode.NotFound;
        }
        if (files.Count == 0)
        {
            await error.WriteLineAsync($"crew: there is no *.test in {string.Join(", ", paths)}");
            return (int)ExitCode.NotFound;
        }
        var reports = new List<ScriptReport>();
        foreach (var file in files)
        {
            var report = PromQLScript.Run(await File.ReadAllTextAsync(file, cancellation), file, TimeProvider.System, cancellation: cancellation);
            reports.Add(report);
            if (!json)
                foreach (var line in Failures(report))
                    await output.WriteLineAsync(line);
        }
        var (passed, failed) = (reports.Sum(r => r.Passed), reports.Sum(r => r.Failed));
        await output.WriteLineAsync(json ? Serialized(new { Passed = passed, Failed = failed, Reports = reports.Select(View) }) : $"{passed} passed, {failed} failed");
        return (int)(failed == 0 ? ExitCode.Ok : ExitCode.Failed);
    }

    private static IEnumerable<string> FilesOf(string path) => Directory.Exists(path) ? Directory.GetFiles(path, "*.test").Order(StringComparer.Ordinal) : [path];

    private static IEnumerable<string> Failures(ScriptReport report)
    {
        foreach (var eval in report.Evals.Where(e => !e.Passed))
            yield return $"{report.Name}:{eval.Line}: {eval.Query}\n  {eval.Failure}\n  expected: {Indented(eval.Expected)}\n  actual:   {Indented(eval.Actual)}";
        if (report.Problem is { } problem)
            yield return $"{report.Name}:{problem.Line}: {problem.Message}";
    }

    private static object View(ScriptReport report) => new
    {
        report.Name,
        report.Passed,
        report.Failed,
        Failures = report.Evals.Where(e => !e.Passed).Select(e => new { e.Line, e.Query, e.Failure, e.Expected, e.Actual }),
        ProblemLine = report.Problem?.Line,
        Problem = report.Problem?.Message,
    };

    private async Task<int> ExplainAsync(string query, string? from, string? to, bool json)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        if (Time(from, now) is not { } start || Time(to, start) is not { } end)
        {
            await error.WriteLineAsync("crew: a time is a number of seconds since 1970 or written as in RFC 3339, such as 2026-01-31T12:00:00Z");
            return (int)ExitCode.Usage;
        }
        return await WithExprAsync(query, expr =>
        {
            var explanation = QueryExplanation.Of(expr, start, end, Lookback);
            return json ? Serialized(explanation) : string.Join('\n', Lines(explanation, 0));
        });
    }

    private static IEnumerable<string> Lines(QueryExplanation part, int level)
    {
        var indent = new string(' ', 2 * level);
        yield return $"{indent}{part.Kind} ({part.Type}): {part.Text}";
        if (part.Reads is { } reads)
            yield return $"{indent}  reads {string.Join(", ", reads.Matchers)} after {Moment(reads.From)} up to {Moment(reads.To)}, {DurationText.Format(reads.Window)} for each step";
        foreach (var inside in part.Parts)
            foreach (var line in Lines(inside, level + 1))
                yield return line;
    }

    private async Task<int> WithExprAsync(string query, Func<Expr, string> print)
    {
        var parsed = Parser.Parse(query);
        if (parsed.Expr is null)
        {
            await error.WriteLineAsync($"crew: {parsed.Error}{Marked(query, parsed.Error)}");
            return (int)ExitCode.Refused;
        }
        await output.WriteLineAsync(print(parsed.Expr));
        return (int)ExitCode.Ok;
    }

    /// <summary>The line of the query that the words are about, and a mark below the place; nothing when they name none.</summary>
    private static string Marked(string query, string? words)
    {
        if (words?.Split(':') is not [var line, var column, _, ..] || !int.TryParse(line, out var row) || !int.TryParse(column, out var place))
            return "";
        var text = query.Split('\n').ElementAtOrDefault(row - 1) ?? "";
        return $"\n  {text}\n  {new string(' ', Math.Clamp(place - 1, 0, text.Length))}^";
    }

    private static long? Time(string? text, long otherwise)
    {
        if (text is null)
            return otherwise;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && Math.Abs(seconds) < 1e12)
            return (long)Math.Round(seconds * 1000);
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time.ToUnixTimeMilliseconds() : null;
    }

    /// <summary>What lies outside the calendar stands as the number it is.</summary>
    private static string Moment(long milliseconds) =>
        Math.Abs(milliseconds) < 62_135_596_800_000 ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).ToString("yyyy-MM-dd'T'HH:mm:ss.FFF'Z'", CultureInfo.InvariantCulture) : $"{milliseconds} ms";

    private static string Indented(string? text) => (text ?? "").Replace("\n", "\n            ", StringComparison.Ordinal);

    private static string Serialized<T>(T value) => JsonSerializer.Serialize(value, Json.Indented);
}
