using Groundcrew.Metrics;

namespace Groundcrew.PromQL;

/// <summary>Whether an expression makes sense: types, numbers of arguments, matchers. Notes each problem where Prometheus does.</summary>
internal sealed class TypeCheck(string query, List<ParseProblem> problems, IReadOnlyDictionary<Binary, VectorMatching> idleMatchings)
{
    /// <summary>Checks an expression and everything in it.</summary>
    public ValueType Check(Expr expr)
    {
        switch (expr)
        {
            case Aggregate a:
                Check(a);
                break;
            case Binary b:
                Check(b);
                break;
            case Call c:
                Check(c);
                break;
            case Paren p:
                Check(p.Inner);
                break;
            case Unary u:
                if (Check(u.Inner) is var t && t is not (ValueType.Scalar or ValueType.Vector))
                    Problem(u.Span, $"unary expression only allowed on expressions of type scalar or instant vector, got \"{ValueTypes.InWords(t)}\"");
                break;
            case Subquery s:
                if (Check(s.Inner) is var type && type != ValueType.Vector)
                    Problem(s.Span, $"subquery is only allowed on instant vector, got {type.ToString().ToLowerInvariant()} instead");
                break;
            case MatrixSelector m:
                Check(m.Selector);
                break;
            case VectorSelector v:
                Check(v);
                break;
        }
        return expr.Type;
    }

    private void Check(Aggregate a)
    {
        Expect(a.Inner, ValueType.Vector, "aggregation expression");
        if (a.Parameter is { } parameter)
            Expect(parameter, a.Op == AggregateOp.CountValues ? ValueType.String : ValueType.Scalar, "aggregation parameter");
    }

    private void Check(Binary b)
    {
        var (left, right) = (Check(b.Left), Check(b.Right));
        var comparison = b.Op is >= BinaryOp.Equal and <= BinaryOp.LessOrEqual;
        var set = b.Op is BinaryOp.And or BinaryOp.Or or BinaryOp.Unless;
        var matching = b.Matching ?? idleMatchings.GetValueOrDefault(b);
        if (b.ReturnBool && !comparison)
            Problem(Operator(b), "bool modifier can only be used on comparison operators");
        if (comparison && !b.ReturnBool && left == ValueType.Scalar && right == ValueType.Scalar)
            Problem(Operator(b), "comparisons between scalars must use BOOL modifier");
        if (matching is { On: true })
            foreach (var label in matching.Labels)
                if (matching.Include.Contains(label))
                    Problem(Operator(b), $"label {GoText.Quote(label)} must not occur in ON and GROUP clause at once");
        foreach (var (side, type) in new[] { (b.Left, left), (b.Right, right) })
            if (type is not (ValueType.Scalar or ValueType.Vector))
                Problem(side.Span, "binary expression must contain only scalar and instant vector types");
        if (left != ValueType.Vector || right != ValueType.Vector)
        {
            if (matching is not null)
                Problem(b.Span, "vector matching only allowed between instant vectors");
        }
        else if (set && b.Matching!.Cardinality != MatchCardinality.ManyToMany)
        {
            Problem(b.Span, $"no grouping allowed for \"{Keywords.Of(b.Op)}\" operation");
            Problem(b.Span, "set operations must always be many-to-many");
        }
        if (set && (left == ValueType.Scalar || right == ValueType.Scalar))
            Problem(b.Span, $"set operator \"{Keywords.Of(b.Op)}\" not allowed in binary scalar expression");
    }

    private void Check(Call call)
    {
        var function = call.Function;
        var (given, all) = (call.Arguments.Count, function.Arguments.Count);
        var least = all - Math.Abs(function.Optional);
        var name = GoText.Quote(function.Name);
        if (function.Optional == 0 && given != all)
            Problem(call.Span, $"expected {all} argument(s) in call to {name}, got {given}");
        else if (given < least)
            Problem(call.Span, $"expected at least {least} argument(s) in call to {name}, got {given}");
        else if (function.Optional > 0 && given > all)
            Problem(call.Span, $"expected at most {all} argument(s) in call to {name}, got {given}");
        for (var i = 0; i < given; i++)
        {
            if (i >= all && function.Optional == 0)
                break;
            if (function.Name == "info" && i == 1 && call.Arguments[1] is VectorSelector)
                CheckInfoLabels((VectorSelector)call.Arguments[1]);
            else
                Expect(call.Arguments[i], function.Arguments[Math.Min(i, all - 1)], $"call to function {name}");
        }
    }

    /// <summary>The second argument of <c>info</c> says which labels are wanted; it may have no name and may match everything.</summary>
    private void CheckInfoLabels(VectorSelector labels)
    {
        if (labels.Name.Length > 0)
            Problem(labels.Span, "expected label selectors only, got vector selector instead");
    }

    private void Check(VectorSelector selector)
    {
        var found = selector.Name;
        var matchers = selector.Matchers;
        for (var i = 0; i < matchers.Count - (selector.Name.Length > 0 ? 1 : 0); i++)
        {
            if (matchers[i].Name != Labels.MetricName || (selector.Name.Length == 0 && matchers[i].Kind != MatchKind.Equal))
                continue;
            if (found.Length > 0)
                Problem(selector.Span, $"metric name must not be set twice: {GoText.Quote(found)} or {GoText.Quote(matchers[i].Value)}");
            if (selector.Name.Length == 0)
                found = matchers[i].Value;
        }
        if (selector.Name.Length == 0 && selector.Conditions.All(c => c.MatchesAbsent))
            Problem(selector.Span, "vector selector must contain at least one non-empty matcher");
    }

    private void Expect(Expr expr, ValueType wanted, string context)
    {
        var type = Check(expr);
        if (type != wanted)
            Problem(expr.Span, $"expected type {ValueTypes.InWords(wanted)} in {context}, got {ValueTypes.InWords(type)}");
    }

    /// <summary>Where the operator stands, with its modifiers.</summary>
    private TextSpan Operator(Binary b)
    {
        var between = query.AsSpan(b.Left.Span.End..b.Right.Span.Start);
        var start = b.Left.Span.End + between.Length - between.TrimStart(" \t\r\n").Length;
        return new(start, Math.Max(start, b.Left.Span.End + between.TrimEnd(" \t\r\n").Length));
    }

    private void Problem(TextSpan span, string message) => problems.Add(new(span, message));
}
