using System.Text.Json;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL;

/// <summary>
/// Expressions as the tree that Prometheus' <c>parse_query</c> gives: an object for each node, with its <c>type</c>. Times and
/// durations are in milliseconds, numbers are texts. Thread-safe.
/// </summary>
public static class ExprJson
{
    /// <summary>Levels of JSON that one level of an expression takes at most; a writer must allow that many.</summary>
    public const int LevelsEach = 2;

    /// <summary>Writes one value.</summary>
    public static void Write(Utf8JsonWriter writer, Expr expr)
    {
        writer.WriteStartObject();
        switch (expr)
        {
            case Aggregate a:
                WriteAggregate(writer, a);
                break;
            case Binary b:
                WriteBinary(writer, b);
                break;
            case Call c:
                WriteCall(writer, c);
                break;
            case VectorSelector v:
                WriteSelector(writer, v, null);
                writer.WriteString("type"u8, "vectorSelector"u8);
                break;
            case MatrixSelector m:
                WriteSelector(writer, m.Selector, m);
                writer.WriteString("type"u8, "matrixSelector"u8);
                break;
            case Subquery s:
                WriteSubquery(writer, s);
                break;
            case NumberLiteral n:
                writer.WriteString("type"u8, "numberLiteral"u8);
                writer.WriteString("val"u8, GoNumber.Format(n.Value));
                break;
            case StringLiteral s:
                writer.WriteString("type"u8, "stringLiteral"u8);
                writer.WriteString("val"u8, s.Value);
                break;
            case Paren p:
                WriteNamed(writer, "expr", p.Inner);
                writer.WriteString("type"u8, "parenExpr"u8);
                break;
            case Unary u:
                WriteNamed(writer, "expr", u.Inner);
                writer.WriteString("op"u8, u.Negative ? "-"u8 : "+"u8);
                writer.WriteString("type"u8, "unaryExpr"u8);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(expr), expr, "No such expression.");
        }
        writer.WriteEndObject();
    }

    private static void WriteAggregate(Utf8JsonWriter writer, Aggregate a)
    {
        WriteNamed(writer, "expr", a.Inner);
        WriteTexts(writer, "grouping", a.Grouping);
        writer.WriteString("op"u8, Keywords.Of(a.Op));
        WriteNamed(writer, "param", a.Parameter);
        writer.WriteString("type"u8, "aggregation"u8);
        writer.WriteBoolean("without"u8, a.Without);
    }

    private static void WriteBinary(Utf8JsonWriter writer, Binary b)
    {
        writer.WriteBoolean("bool"u8, b.ReturnBool);
        WriteNamed(writer, "lhs", b.Left);
        if (b.Matching is { } matching)
        {
            writer.WriteStartObject("matching"u8);
            writer.WriteString("card"u8, matching.Cardinality switch
            {
                MatchCardinality.OneToOne => "one-to-one"u8,
                MatchCardinality.ManyToOne => "many-to-one"u8,
                MatchCardinality.OneToMany => "one-to-many"u8,
                _ => "many-to-many"u8,
            });
            WriteTexts(writer, "include", matching.Include);
            WriteTexts(writer, "labels", matching.Labels);
            writer.WriteBoolean("on"u8, matching.On);
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteNull("matching"u8);
        }
        writer.WriteString("op"u8, Keywords.Of(b.Op));
        WriteNamed(writer, "rhs", b.Right);
        writer.WriteString("type"u8, "binaryExpr"u8);
    }

    private static void WriteCall(Utf8JsonWriter writer, Call c)
    {
        writer.WriteStartArray("args"u8);
        foreach (var argument in c.Arguments)
            Write(writer, argument);
        writer.WriteEndArray();
        writer.WriteStartObject("func"u8);
        WriteTexts(writer, "argTypes", c.Function.Arguments.Select(NameOf));
        writer.WriteString("name"u8, c.Function.Name);
        writer.WriteString("returnType"u8, NameOf(c.Function.Returns));
        writer.WriteNumber("variadic"u8, c.Function.Optional);
        writer.WriteEndObject();
        writer.WriteString("type"u8, "call"u8);
    }

    /// <summary>All but the type, which comes last.</summary>
    private static void WriteSelector(Utf8JsonWriter writer, VectorSelector selector, MatrixSelector? ranged)
    {
        writer.WriteBoolean("anchored"u8, selector.Boundary == RangeBoundary.Anchored);
        writer.WriteStartArray("matchers"u8);
        foreach (var matcher in selector.Matchers)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, matcher.Name);
            writer.WriteString("type"u8, matcher.Kind switch { MatchKind.Equal => "="u8, MatchKind.NotEqual => "!="u8, MatchKind.Regexp => "=~"u8, _ => "!~"u8 });
            writer.WriteString("value"u8, matcher.Value);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteString("name"u8, selector.Name);
        writer.WriteNumber("offset"u8, selector.Offset);
        WriteDuration(writer, "offsetExpr", selector.OffsetExpression);
        if (ranged is not null)
        {
            writer.WriteNumber("range"u8, Known(ranged.Range, ranged.RangeExpression));
            WriteDuration(writer, "rangeExpr", ranged.RangeExpression);
        }
        writer.WriteBoolean("smoothed"u8, selector.Boundary == RangeBoundary.Smoothed);
        WriteAt(writer, selector.At);
    }

    private static void WriteSubquery(Utf8JsonWriter writer, Subquery s)
    {
        WriteNamed(writer, "expr", s.Inner);
        writer.WriteNumber("offset"u8, s.Offset);
        WriteDuration(writer, "offsetExpr", s.OffsetExpression);
        writer.WriteNumber("range"u8, Known(s.Range, s.RangeExpression));
        WriteDuration(writer, "rangeExpr", s.RangeExpression);
        writer.WriteNumber("step"u8, Known(s.Step, s.StepExpression));
        WriteDuration(writer, "stepExpr", s.StepExpression);
        WriteAt(writer, s.At);
        writer.WriteString("type"u8, "subquery"u8);
    }

    private static void WriteAt(Utf8JsonWriter writer, AtModifier? at)
    {
        switch (at?.Anchor)
        {
            case AtAnchor.Start:
                writer.WriteString("startOrEnd"u8, "start"u8);
                break;
            case AtAnchor.End:
                writer.WriteString("startOrEnd"u8, "end"u8);
                break;
            default:
                writer.WriteNull("startOrEnd"u8);
                break;
        }
        if (at is { Anchor: AtAnchor.Time, Time: var time })
            writer.WriteNumber("timestamp"u8, time);
        else
            writer.WriteNull("timestamp"u8);
    }

    private static void WriteNamed(Utf8JsonWriter writer, string name, Expr? expr)
    {
        writer.WritePropertyName(name);
        if (expr is null)
            writer.WriteNullValue();
        else
            Write(writer, expr);
    }

    /// <summary>What a duration is calculated from: nodes of a kind of their own, whose parentheses are a mark.</summary>
    private static void WriteDuration(Utf8JsonWriter writer, string name, Expr? duration)
    {
        writer.WritePropertyName(name);
        var wrapped = false;
        while (duration is Paren paren)
            (duration, wrapped) = (paren.Inner, true);
        switch (duration)
        {
            case null:
                writer.WriteNullValue();
                break;
            case NumberLiteral n:
                writer.WriteStartObject();
                writer.WriteBoolean("duration"u8, n.IsDuration);
                writer.WriteString("type"u8, "numberLiteral"u8);
                writer.WriteString("val"u8, GoNumber.Format(n.Value));
                writer.WriteEndObject();
                break;
            case Unary u:
                WriteOperation(writer, u.Negative ? "-" : "+", null, u.Inner, wrapped);
                break;
            case Binary b:
                WriteOperation(writer, Keywords.Of(b.Op), b.Left, b.Right, wrapped);
                break;
            case Call c:
                WriteOperation(writer, c.Function.Name, c.Arguments is [var left, ..] ? left : null, c.Arguments is [_, var right] ? right : null, wrapped);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(duration), duration, "This is no duration.");
        }
    }

    private static void WriteOperation(Utf8JsonWriter writer, string op, Expr? left, Expr? right, bool wrapped)
    {
        writer.WriteStartObject();
        WriteDuration(writer, "lhs", left);
        writer.WriteString("op"u8, op);
        WriteDuration(writer, "rhs", right);
        writer.WriteString("type"u8, "durationExpr"u8);
        writer.WriteBoolean("wrapped"u8, wrapped);
        writer.WriteEndObject();
    }

    private static void WriteTexts(Utf8JsonWriter writer, string name, IEnumerable<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (var text in texts)
            writer.WriteStringValue(text);
        writer.WriteEndArray();
    }

    /// <summary>What depends on the step or range of a query is 0 as long as there is none.</summary>
    private static long Known(long milliseconds, Expr? duration) => duration is null || DurationMath.IsConstant(duration) ? milliseconds : 0;

    private static string NameOf(ValueType type) => type.ToString().ToLowerInvariant();
}
