using Groundcrew.Metrics;

namespace Groundcrew.PromQL;

/// <summary>What a selector reads.</summary>
/// <param name="Matchers">Its conditions as they are written.</param>
/// <param name="From">The oldest moment that matters, itself not included, in milliseconds since 1970.</param>
/// <param name="To">The newest moment that matters, included.</param>
/// <param name="Window">How far back from each step: the range, or for an instant vector the look-back, in milliseconds.</param>
/// <param name="Series">How many series have the labels and may have samples in that time; null when no source was given.</param>
public sealed record SelectorReach(IReadOnlyList<string> Matchers, long From, long To, long Window, int? Series);

/// <summary>A part of a query: what it is, what it gives and what it reads. Immutable.</summary>
/// <param name="Kind">What it is, such as <c>aggregation sum</c>.</param>
/// <param name="Type">What it gives: <c>scalar</c>, <c>instant vector</c>, <c>range vector</c> or <c>string</c>.</param>
/// <param name="Text">As it is printed.</param>
/// <param name="Span">Where it stands in the query.</param>
/// <param name="Reads">What it reads itself, when it is a selector.</param>
/// <param name="Parts">The parts inside it.</param>
public sealed record QueryExplanation(string Kind, string Type, string Text, TextSpan Span, SelectorReach? Reads, IReadOnlyList<QueryExplanation> Parts)
{
    /// <summary>Explains an expression that is evaluated from <paramref name="start"/> to <paramref name="end"/>.</summary>
    /// <param name="expr">The expression.</param>
    /// <param name="start">The first step, in milliseconds since 1970.</param>
    /// <param name="end">The last step; the same for an instant query.</param>
    /// <param name="lookback">How old the newest sample may be that an instant vector still takes.</param>
    /// <param name="source">Where series are counted; none are when null.</param>
    public static QueryExplanation Of(Expr expr, long start, long end, TimeSpan lookback, IMetricSource? source = null)
    {
        using var reader = source?.OpenReader();
        return new Explaining(start, end, (long)lookback.TotalMilliseconds, reader).Of(expr, start, end);
    }

    private sealed class Explaining(long queryStart, long queryEnd, long lookback, IMetricReader? reader)
    {
        /// <summary>Explains a part that is evaluated at steps from the one time to the other.</summary>
        public QueryExplanation Of(Expr expr, long first, long last) => expr switch
        {
            NumberLiteral => Leaf("number", expr),
            StringLiteral => Leaf("string", expr),
            VectorSelector v => Leaf("selector", expr, Reach(v, lookback, first, last)),
            MatrixSelector m => Leaf("range selector", expr, Reach(m.Selector, m.Range, first, last)),
            Subquery s => OfSubquery(s, first, last),
            Aggregate a => Node($"aggregation {Keywords.Of(a.Op)}", expr, first, last, a.Parameter is { } parameter ? [parameter, a.Inner] : [a.Inner]),
            Binary b => Node($"operator {Keywords.Of(b.Op)}", expr, first, last, [b.Left, b.Right]),
            Unary u => Node("sign", expr, first, last, [u.Inner]),
            Paren p => Node("parentheses", expr, first, last, [p.Inner]),
            Call c => Node($"function {c.Function.Name}", expr, first, last, c.Arguments),
            _ => throw new ArgumentOutOfRangeException(nameof(expr), expr, "No such expression."),
        };

        private QueryExplanation OfSubquery(Subquery s, long first, long last)
        {
            var (from, to) = Shifted(s.At, s.Offset, first, last);
            return new("subquery", ValueTypes.InWords(s.Type), ExprPrinter.Print(s), s.Span, null, [Of(s.Inner, from - s.Range, to)]);
        }

        private SelectorReach Reach(VectorSelector selector, long window, long first, long last)
        {
            var (from, to) = Shifted(selector.At, selector.Offset, first, last);
            window += selector.Boundary == RangeBoundary.Anchored ? lookback : 0;
            // The begin of a window is not part of it.
            var series = reader?.Select(from - window + 1, to, selector.Conditions).Count;
            return new([.. selector.Conditions.Select(c => c.ToString())], from - window, to, window, series);
        }

        private (long From, long To) Shifted(AtModifier? at, long offset, long first, long last)
        {
            var (from, to) = at switch
            {
                null => (first, last),
                { Anchor: AtAnchor.Start } => (queryStart, queryStart),
                { Anchor: AtAnchor.End } => (queryEnd, queryEnd),
                _ => (at.Time, at.Time),
            };
            return (from - offset, to - offset);
        }

        private QueryExplanation Node(string kind, Expr expr, long first, long last, IReadOnlyList<Expr> inside) =>
            new(kind, ValueTypes.InWords(expr.Type), ExprPrinter.Print(expr), expr.Span, null, [.. inside.Select(e => Of(e, first, last))]);

        private static QueryExplanation Leaf(string kind, Expr expr, SelectorReach? reads = null) =>
            new(kind, ValueTypes.InWords(expr.Type), ExprPrinter.Print(expr), expr.Span, reads, []);
    }
}

/// <summary>The names of types as Prometheus documents them.</summary>
internal static class ValueTypes
{
    /// <summary>Such as <c>instant vector</c>.</summary>
    public static string InWords(ValueType type) => type switch
    {
        ValueType.Vector => "instant vector",
        ValueType.Matrix => "range vector",
        _ => type.ToString().ToLowerInvariant(),
    };
}
