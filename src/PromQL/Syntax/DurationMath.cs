using Groundcrew.PromQL.Evaluation;

namespace Groundcrew.PromQL;

/// <summary>Calculates durations that are written as expressions. What depends on the query is known once its step and range are.</summary>
internal static class DurationMath
{
    private const double LongestSeconds = 9_223_372_036.854775807;

    /// <summary>The word of a function, as it is called whatever its case.</summary>
    public static string NameOf(string query, Token token) => query[token.Start..token.End].ToLowerInvariant();

    /// <summary>Whether neither <c>step()</c> nor <c>range()</c> is in it.</summary>
    public static bool IsConstant(Expr duration) => duration switch
    {
        Paren p => IsConstant(p.Inner),
        Unary u => IsConstant(u.Inner),
        Binary b => IsConstant(b.Left) && IsConstant(b.Right),
        Call { Arguments.Count: 0 } => false,
        Call c => c.Arguments.All(IsConstant),
        _ => true,
    };

    /// <summary>Calculates the seconds; what is wrong, or null.</summary>
    /// <param name="duration">The expression.</param>
    /// <param name="step">The step of the query in seconds.</param>
    /// <param name="range">The range of the query in seconds.</param>
    /// <param name="seconds">The result.</param>
    public static string? Problem(Expr duration, double step, double range, out double seconds)
    {
        string? problem = null;
        seconds = Of(duration);
        if (problem is null && !(Math.Abs(seconds) <= LongestSeconds))
            problem = "duration is out of range";
        if (problem is not null)
            seconds = 1;
        return problem;

        double Of(Expr expr) => expr switch
        {
            NumberLiteral n => n.Value,
            Paren p => Of(p.Inner),
            Unary u => u.Negative ? -Of(u.Inner) : Of(u.Inner),
            Call { Function.Name: "step" } => step,
            Call { Function.Name: "range" } => range,
            Call { Function.Name: "min" } c => Math.Min(Of(c.Arguments[0]), Of(c.Arguments[1])),
            Call c => Math.Max(Of(c.Arguments[0]), Of(c.Arguments[1])),
            Binary b => Calculate(b.Op, Of(b.Left), Of(b.Right)),
            _ => throw new ArgumentOutOfRangeException(nameof(duration), expr, "This is no duration."),
        };

        double Calculate(BinaryOp op, double left, double right)
        {
            if (right == 0 && op is BinaryOp.Div or BinaryOp.Mod)
                problem ??= op == BinaryOp.Div ? "division by zero" : "modulo by zero";
            return op switch
            {
                BinaryOp.Add => left + right,
                BinaryOp.Sub => left - right,
                BinaryOp.Mul => left * right,
                BinaryOp.Div => left / right,
                BinaryOp.Mod => left % right,
                _ => Math.Pow(left, right),
            };
        }
    }

    /// <summary>Whole milliseconds.</summary>
    public static long Milliseconds(double seconds) => (long)Math.Round(seconds * 1000, MidpointRounding.AwayFromZero);

    /// <summary>
    /// The query with every duration known. Throws <see cref="QueryFailedException"/> for a range that is not more than 0 or
    /// that cannot be calculated.
    /// </summary>
    public static Expr Resolve(Expr expr, long step, long range) => expr switch
    {
        VectorSelector { OffsetExpression: { } offset } v => v with { Offset = Value(offset, step, range, positive: false) },
        MatrixSelector m => m with
        {
            Selector = (VectorSelector)Resolve(m.Selector, step, range),
            Range = m.RangeExpression is { } length ? Value(length, step, range, positive: true) : m.Range,
        },
        Subquery s => s with
        {
            Inner = Resolve(s.Inner, step, range),
            Range = s.RangeExpression is { } length ? Value(length, step, range, positive: true) : s.Range,
            Step = s.StepExpression is { } resolution ? Value(resolution, step, range, positive: true) : s.Step,
            Offset = s.OffsetExpression is { } offset ? Value(offset, step, range, positive: false) : s.Offset,
        },
        Aggregate a => a with { Inner = Resolve(a.Inner, step, range), Parameter = a.Parameter is { } parameter ? Resolve(parameter, step, range) : null },
        Binary b => b with { Left = Resolve(b.Left, step, range), Right = Resolve(b.Right, step, range) },
        Unary u => u with { Inner = Resolve(u.Inner, step, range) },
        Paren p => p with { Inner = Resolve(p.Inner, step, range) },
        Call c => c with { Arguments = [.. c.Arguments.Select(a => Resolve(a, step, range))] },
        _ => expr,
    };

    /// <summary>Whether a duration anywhere in the query depends on its step or range.</summary>
    public static bool AnyOpen(Expr? expr) => expr switch
    {
        VectorSelector v => IsOpen(v.OffsetExpression),
        MatrixSelector m => IsOpen(m.RangeExpression) || AnyOpen(m.Selector),
        Subquery s => IsOpen(s.RangeExpression) || IsOpen(s.StepExpression) || IsOpen(s.OffsetExpression) || AnyOpen(s.Inner),
        Aggregate a => AnyOpen(a.Inner) || AnyOpen(a.Parameter),
        Binary b => AnyOpen(b.Left) || AnyOpen(b.Right),
        Unary u => AnyOpen(u.Inner),
        Paren p => AnyOpen(p.Inner),
        Call c => c.Arguments.Any(AnyOpen),
        _ => false,
    };

    private static bool IsOpen(Expr? duration) => duration is not null && !IsConstant(duration);

    private static long Value(Expr duration, long step, long range, bool positive)
    {
        var problem = Problem(duration, step / 1000.0, range / 1000.0, out var seconds);
        if (problem is null && positive && !(seconds > 0))
            problem = "duration must be greater than 0";
        if (problem is not null)
            throw new QueryFailedException(QueryErrorKind.BadData, problem);
        return positive ? Math.Max(1, Milliseconds(seconds)) : Milliseconds(seconds);
    }
}
