using System.Globalization;

namespace Groundcrew.PromQL.Tests.Differential;

/// <summary>
/// Seeded queries over the whole grammar that Prometheus 2.42 and 3 share, well typed, most of them with an answer. What 3
/// mended or defines otherwise does not occur:
/// <list type="bullet">
/// <item>Ranges exclude their begin: see <see cref="RandomData"/>; ranges of subqueries are no multiples of their steps, and
/// moments lie beside whole seconds.</item>
/// <item>rate and increase extrapolate otherwise where a counter may have begun inside the range: they get counters far from
/// zero without resets, and no subqueries.</item>
/// <item>stddev and stdvar of infinities and NaN are NaN (2.42 gives 0 for a lone one): they get finite gauges.</item>
/// <item>atan2 drops the name of a series: it stands between numbers only.</item>
/// <item>predict_linear of a pinned range stays pinned, timestamp of a pinned selector keeps its offset: neither is pinned.</item>
/// <item>The sine of a huge number says nothing: sin, cos and tan get gauges.</item>
/// <item>Ties that topk must break at random do not occur.</item>
/// </list>
/// </summary>
internal sealed class RandomQueries(int seed, long start, long end)
{
    private static readonly string[] Metrics = ["g", "g", "g2", "c_total", "r_total", "odd", "h_bucket", "info", "lone", "absent_metric"];
    private static readonly string[] LabelNames = ["a", "b", "c", "job", "le", "version", "none"];
    private static readonly string[] Elements = ["abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad"];
    private static readonly string[] Overs = ["delta", "irate", "idelta", "deriv", "changes", "resets", "avg_over_time", "sum_over_time", "min_over_time", "max_over_time", "count_over_time", "last_over_time", "present_over_time", "stddev_over_time", "stdvar_over_time", "absent_over_time"];
    private static readonly string[] Aggregates = ["sum", "avg", "count", "min", "max", "group"];
    private static readonly string[] Arithmetic = ["+", "-", "*", "/", "%", "^"];
    private static readonly string[] Comparisons = ["==", "!=", ">", "<", ">=", "<="];
    private static readonly string[] Dates = ["minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"];

    private readonly Random _random = new(seed);

    public string Next() => _random.Next(12) == 0 ? Scalar(3) : Vector(4);

    private string Vector(int depth)
    {
        if (depth == 0)
            return Selector();
        return _random.Next(17) switch
        {
            0 or 1 => Selector(),
            2 or 3 => Aggregate(depth),
            4 or 5 => $"{OneOf(Overs)}({Matrix(depth - 1)})",
            6 => $"{OneOf("rate", "increase")}({OneOf("c_total", "h_bucket")}{{{Matcher()}}}[{Range()}]{Moved()})",
            7 => $"{OneOf(Elements)}({Vector(depth - 1)})",
            8 or 9 => Between(depth),
            10 => Set(depth),
            11 => _random.Next(2) == 0 ? $"({Vector(depth - 1)} {Operator()} {Scalar(1)})" : $"({Scalar(1)} {Operator()} {Vector(depth - 1)})",
            12 => $"-{Vector(depth - 1)}",
            13 => Labelled(depth),
            14 => Parameterised(depth),
            15 => $"histogram_quantile({Scalar(0)}, {OneOf("", "sum by (a, le) ", "sum without (b) ")}(rate(h_bucket[{Range()}])))",
            _ => OneOf($"absent({Vector(depth - 1)})", $"vector({Scalar(1)})", $"timestamp({Plain()}{OneOf("", " offset 1m")})", $"{OneOf(Dates)}({Vector(depth - 1)})", $"scalar({Vector(depth - 1)}) * {Vector(depth - 1)}"),
        };
    }

    private string Aggregate(int depth)
    {
        var by = _random.Next(4) switch { 0 => "", 1 => $" without ({LabelList()})", _ => $" by ({LabelList()})" };
        return _random.Next(8) switch
        {
            3 => $"{OneOf("stddev", "stdvar")}{by} ({OneOf("g", "g2", "c_total")}{{{Matcher()}}})",
            0 => $"quantile{by} ({Number()}, {Vector(depth - 1)})",
            1 => $"{OneOf("topk", "bottomk")}{by} ({_random.Next(0, 4)}, {OneOf("g", "g2", "c_total")})",
            2 => $"count_values{by} (\"v\", {OneOf("changes", "count_over_time")}({Matrix(depth - 1)}))",
            _ => $"{OneOf(Aggregates)}{by} ({Vector(depth - 1)})",
        };
    }

    private string Between(int depth)
    {
        var matching = _random.Next(4) switch
        {
            0 => "",
            1 => $" on ({LabelList()})",
            2 => $" ignoring ({LabelList()})",
            _ => OneOf(" on (a) group_left ()", " on (a) group_left (version)", " on (a) group_right ()", " ignoring (b) group_left ()", " on (a, b) group_left (c)"),
        };
        var right = matching.Contains("group_left (version)", StringComparison.Ordinal) ? "info" : Vector(depth - 1);
        return $"({Vector(depth - 1)} {Operator()}{matching} {right})";
    }

    private string Set(int depth) =>
        $"({Vector(depth - 1)} {OneOf("and", "or", "unless")}{_random.Next(3) switch { 0 => "", 1 => $" on ({LabelList()})", _ => $" ignoring ({LabelList()})" }} {Vector(depth - 1)})";

    private string Labelled(int depth) => _random.Next(2) == 0
        ? $"label_replace({Vector(depth - 1)}, \"{OneOf("d", "a", "b")}\", \"{OneOf("$1", "v-$1", "", "fixed")}\", \"{OneOf("a", "b", "none")}\", \"{OneOf("(.*)", "x|(y)", "([0-9])", "nothing")}\")"
        : $"label_join({Vector(depth - 1)}, \"{OneOf("d", "a")}\", \"-\", \"a\", \"{OneOf("b", "none")}\")";

    private string Parameterised(int depth) => _random.Next(8) switch
    {
        0 => $"clamp({Vector(depth - 1)}, {Number()}, {Number()})",
        1 => $"clamp_min({Vector(depth - 1)}, {Scalar(1)})",
        2 => $"clamp_max({Vector(depth - 1)}, {Scalar(1)})",
        3 => $"round({Vector(depth - 1)}{OneOf("", ", 0.1", ", 5")})",
        4 => $"quantile_over_time({Number()}, {Matrix(depth - 1)})",
        5 => $"predict_linear({Plain()}[{Range()}]{OneOf("", " offset 2m30s")}, {_random.Next(0, 1000)})",
        6 => $"{OneOf("sin", "cos", "tan")}({OneOf("g", "g2")})",
        _ => $"{OneOf("sort", "sort_desc")}({OneOf("g", "g2")})",
    };

    private string Matrix(int depth) => depth > 1 && _random.Next(4) == 0
        ? $"({Vector(depth - 1)})[{OneOf("4m53s", "9m47s", "3m7s")}:{OneOf("30s", "1m", "20s", "")}]{Moved()}"
        : $"{Plain()}[{Range()}]{Moved()}";

    private string Selector() => Plain() + Moved();

    private string Plain()
    {
        var metric = OneOf(Metrics);
        return _random.Next(3) switch
        {
            0 => metric,
            1 => $"{metric}{{{Matcher()}}}",
            _ => _random.Next(5) == 0 ? $"{{__name__=~\"{OneOf("g|g2", "g.*", "c_.+")}\", {Matcher()}}}" : $"{metric}{{{Matcher()}, {Matcher()}}}",
        };
    }

    private string Matcher() => OneOf("a=\"x\"", "a!=\"x\"", "a=~\"x|y\"", "a!~\"x.*\"", "b=\"1\"", "b=~\".+\"", "c=\"\"", "c!=\"\"", "none=~\".*\"", "job=~\"j[12]\"", "a=~\"[yz]\"", "le=\"+Inf\"", "a=~\".*\"");

    private string Moved() => _random.Next(9) switch
    {
        0 => $" offset {OneOf("1m", "90s", "-30s", "10m")}",
        1 => $" @ {At()}",
        2 => $" @ {OneOf("start()", "end()")} offset {OneOf("1m", "2m30s")}",
        _ => "",
    };

    private string Scalar(int depth) => depth == 0 ? Number() : _random.Next(6) switch
    {
        0 or 1 => Number(),
        2 => $"scalar({Vector(depth - 1)})",
        3 => $"({Scalar(depth - 1)} {OneOf([.. Arithmetic, "atan2"])} {Scalar(depth - 1)})",
        4 => $"({Scalar(depth - 1)} {OneOf(Comparisons)} bool {Scalar(depth - 1)})",
        _ => OneOf("time()", "pi()", $"-{Number()}"),
    };

    private string Operator() => _random.Next(3) switch { 0 => OneOf(Comparisons), 1 => OneOf(Comparisons) + " bool", _ => OneOf(Arithmetic) };

    private string Number() => OneOf("0", "1", "0.5", "2", "3.7", "0.9", "-1", "Inf", "NaN", "100", "1e3", "0x1f");

    private string Range() => OneOf("1m", "5m", "2m", "30s", "10m", "90s", "17m");

    private string LabelList() => string.Join(", ", LabelNames.OrderBy(_ => _random.Next()).Take(_random.Next(0, 3)));

    private string At() => (_random.NextInt64(start / 1000, end / 1000) + 0.333).ToString("0.000", CultureInfo.InvariantCulture);

    private string OneOf(params string[] choices) => choices[_random.Next(choices.Length)];
}
