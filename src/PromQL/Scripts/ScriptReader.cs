using System.Globalization;
using System.Text.RegularExpressions;

namespace Groundcrew.PromQL.Scripts;

/// <summary>Reads a script command by command. A blank line ends a block, as does the next command. Not thread-safe.</summary>
internal sealed partial class ScriptReader(string text)
{
    private readonly string[] _lines = [.. text.Split('\n').Select(l => l.Trim(' ', '\t', '\r'))];
    private int _at;

    /// <summary>The commands in order. Throws <see cref="ScriptProblemException"/> at the first line that is none.</summary>
    public IEnumerable<ScriptCommand> Commands()
    {
        while (_at < _lines.Length)
        {
            var line = _lines[_at++];
            if (line.Length == 0 || line[0] == '#')
                continue;
            yield return Command(line);
        }
    }

    private ScriptCommand Command(string line)
    {
        var number = _at;
        if (line == "clear")
            return new ScriptCommand.Clear(number);
        if (LoadLine().Match(line) is { Success: true } load)
            return Load(number, load);
        if (RangeLine().Match(line) is { Success: true } range)
            return Eval(number, range, Time(range.Groups["from"].Value), Time(range.Groups["to"].Value), Step(range.Groups["step"].Value));
        if (InstantLine().Match(line) is { Success: true } instant)
        {
            var at = Time(instant.Groups["at"].Value);
            return Eval(number, instant, at, at, 0);
        }
        throw Wrong($"invalid command {GoText.Quote(line)}");
    }

    private ScriptCommand.Load Load(int number, Match match)
    {
        var step = Step(match.Groups["step"].Value);
        var series = new List<NotedSeries>();
        foreach (var line in Block())
            series.Add(Series(line));
        return new(number, step, match.Groups["nhcb"].Success, series);
    }

    private ScriptCommand.Eval Eval(int number, Match match, long start, long end, long step)
    {
        var expected = new Expectation();
        switch (match.Groups["mode"].Value)
        {
            case "fail":
                expected.Fails = true;
                break;
            case "warn":
                expected.Warnings = [MessageRule.Any];
                break;
            case "info":
                expected.Infos = [MessageRule.Any];
                break;
            case "ordered":
                expected.Ordered = true;
                break;
        }
        foreach (var line in Block())
            Expect(expected, line);
        return new(number, match.Groups["query"].Value, start, end, step, expected);
    }

    /// <summary>The lines up to the next blank one or the next command, without comments.</summary>
    private IEnumerable<string> Block()
    {
        while (_at < _lines.Length && _lines[_at].Length > 0 && !CommandLine().IsMatch(_lines[_at]))
        {
            var line = _lines[_at++];
            if (line[0] != '#')
                yield return line;
        }
    }

    private void Expect(Expectation expected, string line)
    {
        if (ExpectLine().Match(line) is { Success: true } expect)
        {
            var wanted = expect.Groups["text"].Value.Trim();
            Expect(expected, expect.Groups["what"].Value, expect.Groups["kind"].Value switch { "msg" => new(wanted, null), "regex" => Pattern(wanted), _ => MessageRule.Any });
        }
        else if (ExpectRangeLine().Match(line) is { Success: true } range)
            expected.RangeVector = (Time(range.Groups["from"].Value), Time(range.Groups["to"].Value), Step(range.Groups["step"].Value));
        else if (ExpectStringLine().Match(line) is { Success: true } quoted)
            expected.Text = Parser.Parse(quoted.Groups["text"].Value).Expr is StringLiteral literal ? literal.Value : throw Wrong("expected a quoted string");
        else if (line.StartsWith("expected_fail_message ", StringComparison.Ordinal))
            expected.Failure.Add(new(line["expected_fail_message ".Length..].Trim(), null));
        else if (line.StartsWith("expected_fail_regexp ", StringComparison.Ordinal))
            expected.Failure.Add(Pattern(line["expected_fail_regexp ".Length..].Trim()));
        else if (GoNumber.Parse(line) is (var scalar, null))
            expected.Scalar = scalar;
        else
            expected.Series.Add(Series(line));
    }

    private static void Expect(Expectation expected, string what, MessageRule rule)
    {
        switch (what)
        {
            case "ordered":
                expected.Ordered = true;
                break;
            case "fail":
                expected.Fails = true;
                expected.Failure.Add(rule);
                break;
            case "warn":
                (expected.Warnings ??= []).Add(rule);
                break;
            case "info":
                (expected.Infos ??= []).Add(rule);
                break;
            case "no_warn":
                expected.NoWarnings = true;
                break;
            default:
                expected.NoInfos = true;
                break;
        }
    }

    private NotedSeries Series(string line) => Judged(() => SeriesNotation.Read(line));

    private MessageRule Pattern(string pattern) => Judged(() => new MessageRule(null, pattern));

    private T Judged<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (FormatException e)
        {
            throw Wrong(e.Message);
        }
    }

    private long Time(string time)
    {
        var negative = time.StartsWith('-');
        var size = negative ? time[1..] : time;
        if (DurationText.TryParse(size, out var milliseconds, out var error))
            return negative ? -milliseconds : milliseconds;
        return double.TryParse(time, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) ? (long)Math.Round(seconds * 1000) : throw Wrong(error);
    }

    private long Step(string step) => Time(step) is > 0 and var milliseconds ? milliseconds : throw Wrong("the step must be more than 0");

    private ScriptProblemException Wrong(string message) => new(_at, message);

    [GeneratedRegex(@"^(clear$|load(_with_nhcb)?\s|eval(_[a-z]+)?\s)")]
    private static partial Regex CommandLine();

    [GeneratedRegex(@"^load(?<nhcb>_with_nhcb)?\s+(?<step>\S+)$")]
    private static partial Regex LoadLine();

    [GeneratedRegex(@"^eval(?:_(?<mode>fail|warn|ordered|info))?\s+instant\s+(?:at\s+(?<at>\S+)\s+)?(?<query>.+)$")]
    private static partial Regex InstantLine();

    [GeneratedRegex(@"^eval(?:_(?<mode>fail|warn|info))?\s+range\s+from\s+(?<from>\S+)\s+to\s+(?<to>\S+)\s+step\s+(?<step>\S+)\s+(?<query>.+)$")]
    private static partial Regex RangeLine();

    [GeneratedRegex(@"^expect\s+(?<what>ordered|fail|warn|no_warn|info|no_info)(?:\s+(?<kind>regex|msg)\s*:(?<text>.+))?$")]
    private static partial Regex ExpectLine();

    [GeneratedRegex(@"^expect\s+range\s+vector\s+from\s+(?<from>\S+)\s+to\s+(?<to>\S+)\s+step\s+(?<step>\S+)$")]
    private static partial Regex ExpectRangeLine();

    [GeneratedRegex(@"^expect\s+string\s+(?<text>.+)$")]
    private static partial Regex ExpectStringLine();
}
