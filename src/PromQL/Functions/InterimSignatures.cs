namespace Groundcrew.PromQL.Evaluation;

/// <summary>What the functions take and give, until the syntax brings its table.</summary>
internal static class InterimSignatures
{
    private const string Table = """
        abs(v) absent(v) acos(v) acosh(v) asin(v) asinh(v) atan(v) atanh(v) avg_over_time(m) ceil(v) changes(m) clamp(vss)
        clamp_max(vs) clamp_min(vs) cos(v) cosh(v) count_over_time(m) days_in_month(v?) day_of_month(v?) day_of_week(v?)
        day_of_year(v?) deg(v) delta(m) deriv(m) exp(v) first_over_time(m)x floor(v) histogram_avg(v) histogram_count(v)
        histogram_fraction(ssv) histogram_quantile(sv) histogram_quantiles(vtss*)x histogram_sum(v) histogram_stddev(v)
        histogram_stdvar(v) double_exponential_smoothing(mss)x hour(v?) idelta(m) increase(m) irate(m)
        label_replace(vtttt) label_join(vttt*) ln(v) log10(v) log2(v) last_over_time(m) mad_over_time(m)x max_over_time(m)
        min_over_time(m) ts_of_first_over_time(m)x ts_of_last_over_time(m)x ts_of_max_over_time(m)x ts_of_min_over_time(m)x
        minute(v?) month(v?) pi()s predict_linear(ms) present_over_time(m) quantile_over_time(sm) rad(v) rate(m) resets(m)
        round(vs?) scalar(v)s sgn(v) sin(v) sinh(v) sort(v) sort_desc(v) sort_by_label(vtt*)x sort_by_label_desc(vtt*)x
        sqrt(v) stddev_over_time(m) stdvar_over_time(m) sum_over_time(m) tan(v) tanh(v) time()s vector(s) year(v?)
        """;

    private static readonly Dictionary<string, FunctionSignature> All = Table.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(Read).ToDictionary(s => s.Name);

    public static FunctionSignature Of(string name) => All[name];

    private static FunctionSignature Read(string text)
    {
        var open = text.IndexOf('(', StringComparison.Ordinal);
        var close = text.IndexOf(')', StringComparison.Ordinal);
        var optional = 0;
        var types = new List<ValueType>();
        foreach (var sign in text[(open + 1)..close])
            if (sign is '?' or '*')
                optional = sign == '?' ? 1 : -1;
            else
                types.Add(sign switch { 'v' => ValueType.Vector, 's' => ValueType.Scalar, 't' => ValueType.String, _ => ValueType.Matrix });
        var rest = text[(close + 1)..];
        return new(text[..open], [.. types], optional, rest.Contains('s', StringComparison.Ordinal) ? ValueType.Scalar : ValueType.Vector, rest.Contains('x', StringComparison.Ordinal));
    }
}
