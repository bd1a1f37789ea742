using System.Runtime.InteropServices;
using Groundcrew.Metrics;

#pragma warning disable CS1573 // What every node has (its span, its operator, its sides) is said once, above.

namespace Groundcrew.PromQL;

/// <summary>Where a piece of a query stands: positions in UTF-16 characters of its text, the end not included.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct TextSpan(int Start, int End);

/// <summary>What an expression gives.</summary>
public enum ValueType
{
    /// <summary>Nothing; the type of no expression.</summary>
    None,

    /// <summary>One number.</summary>
    Scalar,

    /// <summary>A set of series with one sample each ("instant vector").</summary>
    Vector,

    /// <summary>A set of series with samples over a range ("range vector").</summary>
    Matrix,

    /// <summary>A text.</summary>
    String,
}

/// <summary>A node of a parsed and type-checked query. Immutable and thread-safe.</summary>
/// <param name="Span">Where it stands.</param>
public abstract record Expr(TextSpan Span)
{
    /// <summary>What it gives.</summary>
    public abstract ValueType Type { get; }

    /// <summary>As Prometheus prints it on one line; parsing the text gives an equal expression but for its spans.</summary>
    public sealed override string ToString() => ExprPrinter.Print(this);
}

/// <summary>A number, such as <c>1.5</c>, <c>0x1f</c>, <c>Inf</c> or <c>5m</c>.</summary>
/// <param name="IsDuration">Whether it was written as a duration, whose value in seconds it is.</param>
public sealed record NumberLiteral(double Value, TextSpan Span, bool IsDuration = false) : Expr(Span)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.Scalar;
}

/// <summary>A text in quotes.</summary>
public sealed record StringLiteral(string Value, TextSpan Span) : Expr(Span)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.String;
}

/// <summary>What <c>@</c> names.</summary>
public enum AtAnchor
{
    /// <summary>A moment.</summary>
    Time,

    /// <summary><c>@ start()</c>: the begin of the whole query.</summary>
    Start,

    /// <summary><c>@ end()</c>: the end of the whole query.</summary>
    End,
}

/// <summary>The <c>@</c> modifier.</summary>
/// <param name="Anchor">What it names.</param>
/// <param name="Time">The moment in milliseconds since 1970, when <see cref="AtAnchor.Time"/>.</param>
public sealed record AtModifier(AtAnchor Anchor, long Time = 0);

/// <summary>What a selector makes of the borders of its range: <c>anchored</c> and <c>smoothed</c>.</summary>
public enum RangeBoundary
{
    /// <summary>Nothing: only samples inside count.</summary>
    None,

    /// <summary><c>anchored</c>: the newest sample before the range (within the look-back) stands at its begin, the last one inside at its end.</summary>
    Anchored,

    /// <summary><c>smoothed</c>: values at the borders are interpolated from the samples on both sides of them.</summary>
    Smoothed,
}

/// <summary>Picks series by name and labels; at each step the newest sample that is not too old.</summary>
/// <param name="Name">The name before the braces; empty when there is none. The matchers hold it too.</param>
/// <param name="Matchers">All conditions, that of the name (if any) last, as Prometheus orders them.</param>
/// <param name="Offset">How far back it looks, in milliseconds; may be negative.</param>
/// <param name="At">The moment that it is pinned to, if any.</param>
public sealed record VectorSelector(string Name, EquatableList<LabelMatcherText> Matchers, long Offset, AtModifier? At, TextSpan Span) : Expr(Span)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.Vector;

    /// <summary>The conditions ready for use, in the same order.</summary>
    public IReadOnlyList<LabelMatcher> Conditions { get; } = [.. Matchers.Select(m => new LabelMatcher(m.Kind, m.Name, m.Value))];

    /// <summary>What <see cref="Offset"/> is calculated from, when that is more than a number; it may depend on the query's step and range.</summary>
    public Expr? OffsetExpression { get; init; }

    /// <summary>How values at the borders of its range are found; of a selector without a range only <c>smoothed</c> changes anything.</summary>
    public RangeBoundary Boundary { get; init; }

    /// <summary>Whether the other one is written the same; <see cref="Conditions"/> follow from the matchers.</summary>
    public bool Equals(VectorSelector? other) =>
        other is not null && Name == other.Name && Offset == other.Offset && At == other.At && Boundary == other.Boundary && Equals(OffsetExpression, other.OffsetExpression) && Span == other.Span && Matchers.Equals(other.Matchers);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, Matchers, Offset, At, Boundary, Span);
}

/// <summary>A condition as it was written, comparable by value.</summary>
public readonly record struct LabelMatcherText(MatchKind Kind, string Name, string Value);

/// <summary>A selector with a range: at each step all samples of that range, its begin excluded.</summary>
/// <param name="Selector">Which series; carries offset and <c>@</c>.</param>
/// <param name="Range">Milliseconds, more than 0.</param>
public sealed record MatrixSelector(VectorSelector Selector, long Range, TextSpan Span) : Expr(Span)
{
    /// <summary>What <see cref="Range"/> is calculated from, when that is more than a number; it may depend on the query's step and range.</summary>
    public Expr? RangeExpression { get; init; }

    /// <inheritdoc/>
    public override ValueType Type => ValueType.Matrix;
}

/// <summary>An expression evaluated at steps of its own over a range: <c>expr[30m:1m]</c>.</summary>
/// <param name="Inner">What is evaluated.</param>
/// <param name="Range">Milliseconds, more than 0.</param>
/// <param name="Step">Milliseconds; 0 when the default of the engine is meant.</param>
/// <param name="Offset">How far back it looks, in milliseconds; may be negative.</param>
/// <param name="At">The moment that it is pinned to, if any.</param>
public sealed record Subquery(Expr Inner, long Range, long Step, long Offset, AtModifier? At, TextSpan Span) : Expr(Span)
{
    /// <summary>What <see cref="Range"/> is calculated from, when that is more than a number; it may depend on the query's step and range.</summary>
    public Expr? RangeExpression { get; init; }

    /// <summary>The same for <see cref="Step"/>.</summary>
    public Expr? StepExpression { get; init; }

    /// <summary>The same for <see cref="Offset"/>.</summary>
    public Expr? OffsetExpression { get; init; }

    /// <inheritdoc/>
    public override ValueType Type => ValueType.Matrix;
}

/// <summary>The aggregations.</summary>
public enum AggregateOp
{
#pragma warning disable CS1591 // Each is the word of the language.
    Sum, Avg, Count, Min, Max, Group, Stddev, Stdvar, TopK, BottomK, CountValues, Quantile, LimitK, LimitRatio,
#pragma warning restore CS1591
}

/// <summary>An aggregation such as <c>sum by (job) (rate(x[5m]))</c>.</summary>
/// <param name="Op">Which.</param>
/// <param name="Inner">What is aggregated.</param>
/// <param name="Parameter">The number, or text of <c>count_values</c>, that comes first; null when the operation has none.</param>
/// <param name="Grouping">The labels named after <c>by</c> or <c>without</c>.</param>
/// <param name="Without">Whether <paramref name="Grouping"/> is what is left out.</param>
public sealed record Aggregate(AggregateOp Op, Expr Inner, Expr? Parameter, EquatableList<string> Grouping, bool Without, TextSpan Span) : Expr(Span)
{
    /// <inheritdoc/>
    public override ValueType Type => ValueType.Vector;
}

/// <summary>The operators between two expressions.</summary>
public enum BinaryOp
{
#pragma warning disable CS1591 // Each is the name of its sign.
    Add, Sub, Mul, Div, Mod, Pow, Atan2, Equal, NotEqual, Greater, Less, GreaterOrEqual, LessOrEqual, And, Or, Unless, TrimUpper, TrimLower,
#pragma warning restore CS1591
}

/// <summary>How many series of one side may meet one of the other.</summary>
public enum MatchCardinality
{
    /// <summary>One and one.</summary>
    OneToOne,

    /// <summary>Many on the left (<c>group_left</c>).</summary>
    ManyToOne,

    /// <summary>Many on the right (<c>group_right</c>).</summary>
    OneToMany,

    /// <summary>Many and many: <c>and</c>, <c>or</c>, <c>unless</c>.</summary>
    ManyToMany,
}

/// <summary>How the series of two sides find each other.</summary>
/// <param name="Cardinality">How many may meet.</param>
/// <param name="Labels">The labels named after <c>on</c> or <c>ignoring</c>.</param>
/// <param name="On">Whether only those labels count; otherwise all but those.</param>
/// <param name="Include">Labels that the one side gives to the many.</param>
public sealed record VectorMatching(MatchCardinality Cardinality, EquatableList<string> Labels, bool On, EquatableList<string> Include);

/// <summary>An operator between two expressions.</summary>
/// <param name="Matching">How series meet; null unless both sides are vectors.</param>
/// <param name="ReturnBool">Whether a comparison gives 0 or 1 instead of filtering.</param>
public sealed record Binary(BinaryOp Op, Expr Left, Expr Right, VectorMatching? Matching, bool ReturnBool, TextSpan Span) : Expr(Span)
{
    /// <inheritdoc/>
    public override ValueType Type => Left.Type == ValueType.Scalar && Right.Type == ValueType.Scalar ? ValueType.Scalar : ValueType.Vector;
}

/// <summary>A sign before an expression.</summary>
public sealed record Unary(bool Negative, Expr Inner, TextSpan Span) : Expr(Span)
{
    /// <inheritdoc/>
    public override ValueType Type => Inner.Type;
}

/// <summary>An expression in parentheses.</summary>
public sealed record Paren(Expr Inner, TextSpan Span) : Expr(Span)
{
    /// <inheritdoc/>
    public override ValueType Type => Inner.Type;
}

/// <summary>A call of a function; missing optional arguments are missing here too.</summary>
public sealed record Call(FunctionSignature Function, EquatableList<Expr> Arguments, TextSpan Span) : Expr(Span)
{
    /// <inheritdoc/>
    public override ValueType Type => Function.Returns;
}

/// <summary>What a function takes and gives.</summary>
/// <param name="Name">Its name in queries.</param>
/// <param name="Arguments">Types of its arguments; the last one repeats when there may be more.</param>
/// <param name="Optional">How many arguments at the end may be missing; -1 when the last may also be repeated without end.</param>
/// <param name="Returns">What it gives.</param>
/// <param name="Experimental">Whether Prometheus keeps it behind <c>promql-experimental-functions</c>.</param>
public sealed record FunctionSignature(string Name, EquatableList<ValueType> Arguments, int Optional, ValueType Returns, bool Experimental = false);
