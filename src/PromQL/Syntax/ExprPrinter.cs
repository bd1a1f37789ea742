using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL;

/// <summary>Expressions as text. Thread-safe.</summary>
public static class ExprPrinter
{
    private const int LineWidth = 100;

    /// <summary>On one line, as Prometheus prints it.</summary>
    public static string Print(Expr expr)
    {
        var text = new StringBuilder();
        Append(text, expr);
        return text.ToString();
    }

    /// <summary>
    /// On as many lines as it takes to stay within 100 characters each where that is possible, indented by two, as Prometheus'
    /// <c>format_query</c> and <c>promtool promql format</c> give it.
    /// </summary>
    public static string Pretty(Expr expr) => Pretty(expr, 0);

    private static string Pretty(Expr expr, int level)
    {
        var indent = new string(' ', 2 * level);
        if (expr is Unary unary)
            return indent + (unary.Negative ? "-" : "+") + Pretty(unary.Inner, level).Trim();
        var line = Print(expr);
        if (line.Length <= LineWidth)
            return indent + line;
        return expr switch
        {
            Aggregate a => $"{indent}{Head(a)}(\n{(a.Parameter is { } parameter ? Pretty(parameter, level + 1) + ",\n" : "")}{Pretty(a.Inner, level + 1)}\n{indent})",
            Binary b => $"{Pretty(b.Left, level + 1)}\n{indent}{Middle(b)}\n{Pretty(b.Right, level + 1)}",
            Call { Arguments.Count: > 0 } c => $"{indent}{c.Function.Name}(\n{string.Join(",\n", c.Arguments.Select(a => Pretty(a, level + 1)))}\n{indent})",
            Paren p => $"{indent}(\n{Pretty(p.Inner, level + 1)}\n{indent})",
            Subquery s => Pretty(s.Inner, level) + Suffix(s),
            _ => indent + line,
        };
    }

    private static void Append(StringBuilder text, Expr expr)
    {
        switch (expr)
        {
            case NumberLiteral { IsDuration: true } n:
                text.Append(DurationText.Format((long)Math.Round(n.Value * 1000)));
                break;
            case NumberLiteral n:
                text.Append(GoNumber.Format(n.Value));
                break;
            case StringLiteral s:
                text.Append(GoText.Quote(s.Value));
                break;
            case VectorSelector v:
                AppendSeries(text, v);
                text.Append(Bounded(v.Boundary)).Append(Pinned(v.At, v.Offset, v.OffsetExpression));
                break;
            case MatrixSelector m:
                AppendSeries(text, m.Selector);
                text.Append('[').Append(Length(m.Range, m.RangeExpression)).Append(']').Append(Bounded(m.Selector.Boundary)).Append(Pinned(m.Selector.At, m.Selector.Offset, m.Selector.OffsetExpression));
                break;
            case Subquery s:
                Append(text, s.Inner);
                text.Append(Suffix(s));
                break;
            case Aggregate a:
                text.Append(Head(a));
                AppendArguments(text, a.Parameter is { } parameter ? [parameter, a.Inner] : [a.Inner]);
                break;
            case Binary b:
                Append(text, b.Left);
                text.Append(' ').Append(Middle(b)).Append(' ');
                Append(text, b.Right);
                break;
            case Unary u:
                text.Append(u.Negative ? '-' : '+');
                Append(text, u.Inner);
                break;
            case Paren p:
                AppendArguments(text, [p.Inner]);
                break;
            case Call c:
                text.Append(c.Function.Name);
                AppendArguments(text, c.Arguments);
                break;
        }
    }

    private static void AppendArguments(StringBuilder text, IReadOnlyList<Expr> arguments)
    {
        text.Append('(');
        for (var i = 0; i < arguments.Count; i++)
        {
            if (i > 0)
                text.Append(", ");
            Append(text, arguments[i]);
        }
        text.Append(')');
    }

    private static void AppendSeries(StringBuilder text, VectorSelector selector)
    {
        text.Append(selector.Name);
        var conditions = new List<string>();
        foreach (var m in selector.Matchers)
            if (m.Name != Labels.MetricName || m.Kind != MatchKind.Equal || m.Value != selector.Name || m.Value.Length == 0)
                conditions.Add(Condition(m));
        conditions.Sort(string.CompareOrdinal);
        if (conditions.Count > 0 || selector.Name.Length == 0)
            text.Append('{').AppendJoin(',', conditions).Append('}');
    }

    private static string Condition(LabelMatcherText m)
    {
        var sign = m.Kind switch { MatchKind.Equal => "=", MatchKind.NotEqual => "!=", MatchKind.Regexp => "=~", _ => "!~" };
        return (LabelText.IsPlainLabelName(m.Name) ? m.Name : GoText.Quote(m.Name)) + sign + GoText.Quote(m.Value);
    }

    private static string Bounded(RangeBoundary boundary) => boundary switch
    {
        RangeBoundary.Anchored => " anchored",
        RangeBoundary.Smoothed => " smoothed",
        _ => "",
    };

    private static string Length(long milliseconds, Expr? expression) => expression is null ? DurationText.Format(milliseconds) : Print(expression);

    private static string Pinned(AtModifier? at, long offset, Expr? expression)
    {
        var text = at switch
        {
            null => "",
            { Anchor: AtAnchor.Start } => " @ start()",
            { Anchor: AtAnchor.End } => " @ end()",
            // Whole seconds and thousandths apart: through a double, a large time would lose digits.
            _ => $" @ {(at.Time < 0 ? "-" : "")}{Math.Abs(at.Time / 1000)}.{Math.Abs(at.Time % 1000):000}",
        };
        return offset == 0 && expression is null ? text : $"{text} offset {Length(offset, expression)}";
    }

    private static string Suffix(Subquery s) =>
        $"[{Length(s.Range, s.RangeExpression)}:{(s.Step == 0 ? "" : Length(s.Step, s.StepExpression))}]{Pinned(s.At, s.Offset, s.OffsetExpression)}";

    private static string Head(Aggregate a) => Keywords.Of(a.Op) + (a.Without ? $" without ({List(a.Grouping)}) " : a.Grouping.Count > 0 ? $" by ({List(a.Grouping)}) " : "");

    private static string Middle(Binary b)
    {
        var text = Keywords.Of(b.Op) + (b.ReturnBool ? " bool" : "");
        if (b.Matching is not { } m)
            return text;
        var grouped = m.Cardinality is MatchCardinality.ManyToOne or MatchCardinality.OneToMany;
        if (m.Labels.Count > 0 || m.On || grouped)
            text += $" {(m.On ? "on" : "ignoring")} ({List(m.Labels)})";
        return grouped ? $"{text} group_{(m.Cardinality == MatchCardinality.ManyToOne ? "left" : "right")} ({List(m.Include)})" : text;
    }

    private static string List(EquatableList<string> labels) =>
        string.Join(", ", labels.Select(l => LabelText.IsPlainMetricName(l) && !Keywords.MustBeQuotedInList(l) ? l : GoText.Quote(l)));
}
