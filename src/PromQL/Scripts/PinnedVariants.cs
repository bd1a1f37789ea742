using System.Collections.Frozen;

namespace Groundcrew.PromQL.Scripts;

/// <summary>
/// The same question asked another way: every selector pinned to the moment by <c>@</c>, so that the answer must be the same
/// at any other time.
/// </summary>
internal static class PinnedVariants
{
    private static readonly FrozenSet<string> OfTheMoment = FrozenSet.Create(StringComparer.Ordinal, [
        "time", "timestamp", "predict_linear", "minute", "hour", "month", "year", "day_of_month", "day_of_week", "day_of_year", "days_in_month",
    ]);

    /// <summary>The query and the times to ask it at; nothing when its answer depends on the time it is asked at.</summary>
    public static IEnumerable<(string Query, long Time)> Of(string query, long time)
    {
        if (Parser.Parse(query).Expr is not { } expr || DependsOnTheMoment(expr) || DurationMath.AnyOpen(expr) || DependsOnTheRange(expr))
            return [];
        var pinned = ExprPrinter.Print(Pinned(expr, new(AtAnchor.Time, time)));
        long[] times = time == 0 ? [-1000, 0, 1000] : [-10 * time, 0, time / 5, time, 10 * time];
        return times.Select(t => (pinned, t));
    }

    /// <summary>Whether the answer depends on the begin, end or step of the whole query, so that a range query answers otherwise.</summary>
    public static bool DependsOnTheRange(string query) => Parser.Parse(query).Expr is { } expr && (DurationMath.AnyOpen(expr) || DependsOnTheRange(expr));

    private static bool DependsOnTheRange(Expr expr) => expr switch
    {
        VectorSelector { At.Anchor: not AtAnchor.Time } or Subquery { At.Anchor: not AtAnchor.Time } => true,
        Call { Function.Name: "start" or "end" or "step" or "range" } => true,
        MatrixSelector m => DependsOnTheRange(m.Selector),
        Subquery s => DependsOnTheRange(s.Inner),
        Aggregate a => DependsOnTheRange(a.Inner) || (a.Parameter is { } parameter && DependsOnTheRange(parameter)),
        Binary b => DependsOnTheRange(b.Left) || DependsOnTheRange(b.Right),
        Unary u => DependsOnTheRange(u.Inner),
        Paren p => DependsOnTheRange(p.Inner),
        Call c => c.Arguments.Any(DependsOnTheRange),
        _ => false,
    };

    private static bool DependsOnTheMoment(Expr expr) => (expr is Call call && OfTheMoment.Contains(call.Function.Name)) || expr switch
    {
        Subquery { At: not null } => false,
        Subquery s => DependsOnTheMoment(s.Inner),
        Aggregate a => DependsOnTheMoment(a.Inner) || (a.Parameter is { } parameter && DependsOnTheMoment(parameter)),
        Binary b => DependsOnTheMoment(b.Left) || DependsOnTheMoment(b.Right),
        Unary u => DependsOnTheMoment(u.Inner),
        Paren p => DependsOnTheMoment(p.Inner),
        Call c => c.Arguments.Any(DependsOnTheMoment),
        _ => false,
    };

    /// <summary>What is inside a subquery follows the subquery, hence stays as it is.</summary>
    private static Expr Pinned(Expr expr, AtModifier at) => expr switch
    {
        VectorSelector { At: null } v => v with { At = at },
        MatrixSelector { Selector.At: null } m => m with { Selector = m.Selector with { At = at } },
        Subquery { At: null } s => s with { At = at },
        Aggregate a => a with { Inner = Pinned(a.Inner, at), Parameter = a.Parameter is { } parameter ? Pinned(parameter, at) : null },
        Binary b => b with { Left = Pinned(b.Left, at), Right = Pinned(b.Right, at) },
        Unary u => u with { Inner = Pinned(u.Inner, at) },
        Paren p => p with { Inner = Pinned(p.Inner, at) },
        // The second argument of info says which labels are wanted; it is no selection of its own.
        Call { Function.Name: "info" } c => c with { Arguments = [Pinned(c.Arguments[0], at), .. c.Arguments.Skip(1)] },
        Call c => c with { Arguments = [.. c.Arguments.Select(a => Pinned(a, at))] },
        _ => expr,
    };
}
