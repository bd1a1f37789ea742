using System.Collections.Frozen;

namespace Groundcrew.PromQL;

/// <summary>What each function of Prometheus 3 takes and gives. Thread-safe.</summary>
public static class FunctionSignatures
{
    private const ValueType Scalar = ValueType.Scalar, Vector = ValueType.Vector, Matrix = ValueType.Matrix, Text = ValueType.String;

    private static readonly FrozenDictionary<string, FunctionSignature> ByName = Table().ToFrozenDictionary(f => f.Name, StringComparer.Ordinal);

    /// <summary>All functions, in the order of their names.</summary>
    public static IReadOnlyList<FunctionSignature> All { get; } = [.. ByName.Values.OrderBy(f => f.Name, StringComparer.Ordinal)];

    /// <summary>The function of this name, or null.</summary>
    public static FunctionSignature? Find(string name) => ByName.GetValueOrDefault(name);

    private static IEnumerable<FunctionSignature> Table() =>
    [
        .. OfElements("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg", "exp", "floor", "ln", "log10", "log2",
            "rad", "sgn", "sin", "sinh", "sqrt", "tan", "tanh"),
        .. OfElements("absent", "sort", "sort_desc", "timestamp"),
        .. OfElements("histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar"),
        .. OfTimes("days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year"),
        .. OfRanges("absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase", "irate", "last_over_time",
            "max_over_time", "min_over_time", "present_over_time", "rate", "resets", "stddev_over_time", "stdvar_over_time", "sum_over_time"),
        .. OfRanges("first_over_time", "mad_over_time", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time")
            .Select(f => f with { Experimental = true }),
        .. new[] { "start", "end", "step", "range" }.Select(name => new FunctionSignature(name, [], 0, Scalar, Experimental: true)),
        new("clamp", [Vector, Scalar, Scalar], 0, Vector),
        new("clamp_max", [Vector, Scalar], 0, Vector),
        new("clamp_min", [Vector, Scalar], 0, Vector),
        new("double_exponential_smoothing", [Matrix, Scalar, Scalar], 0, Vector, Experimental: true),
        new("histogram_fraction", [Scalar, Scalar, Vector], 0, Vector),
        new("histogram_quantile", [Scalar, Vector], 0, Vector),
        new("histogram_quantiles", [Vector, Text, .. Enumerable.Repeat(Scalar, 10)], 9, Vector, Experimental: true),
        new("info", [Vector, Vector], 1, Vector, Experimental: true),
        new("label_join", [Vector, Text, Text, Text], -1, Vector),
        new("label_replace", [Vector, Text, Text, Text, Text], 0, Vector),
        new("max_of", [Scalar, Scalar], 0, Scalar, Experimental: true),
        new("min_of", [Scalar, Scalar], 0, Scalar, Experimental: true),
        new("pi", [], 0, Scalar),
        new("predict_linear", [Matrix, Scalar], 0, Vector),
        new("quantile_over_time", [Scalar, Matrix], 0, Vector),
        new("round", [Vector, Scalar], 1, Vector),
        new("scalar", [Vector], 0, Scalar),
        new("sort_by_label", [Vector, Text], -1, Vector, Experimental: true),
        new("sort_by_label_desc", [Vector, Text], -1, Vector, Experimental: true),
        new("time", [], 0, Scalar),
        new("vector", [Scalar], 0, Vector),
    ];

    private static IEnumerable<FunctionSignature> OfElements(params string[] names) => names.Select(name => new FunctionSignature(name, [Vector], 0, Vector));

    private static IEnumerable<FunctionSignature> OfTimes(params string[] names) => names.Select(name => new FunctionSignature(name, [Vector], 1, Vector));

    private static IEnumerable<FunctionSignature> OfRanges(params string[] names) => names.Select(name => new FunctionSignature(name, [Matrix], 0, Vector));
}
