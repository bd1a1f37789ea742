namespace Groundcrew.PromQL.Evaluation;

/// <summary>Functions and aggregations that Prometheus keeps behind <c>promql-experimental-functions</c>.</summary>
internal static class Experiments
{
    /// <summary>The first one that an expression uses, or null.</summary>
    public static ParseProblem? Find(Expr expr) => expr switch
    {
        Call { Function: { Experimental: true, Name: var name } } call => new(call.Span, $"function \"{name}\" is not enabled"),
        Aggregate { Op: AggregateOp.LimitK or AggregateOp.LimitRatio } aggregate => new(
            aggregate.Span,
            $"{(aggregate.Op == AggregateOp.LimitK ? "limitk" : "limit_ratio")}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"),
        Call call => call.Arguments.Select(Find).FirstOrDefault(p => p is not null),
        Aggregate aggregate => (aggregate.Parameter is null ? null : Find(aggregate.Parameter)) ?? Find(aggregate.Inner),
        Binary binary => Find(binary.Left) ?? Find(binary.Right),
        Unary unary => Find(unary.Inner),
        Paren paren => Find(paren.Inner),
        Subquery subquery => Find(subquery.Inner),
        _ => null,
    };

    /// <summary>The problem as a parse error with its position.</summary>
    public static string Describe(ParseProblem problem, string query)
    {
        var before = query.AsSpan(0, Math.Min(problem.Span.Start, query.Length));
        var line = 1 + before.Count('\n');
        var column = problem.Span.Start - before.LastIndexOf('\n');
        return $"{line}:{column}: parse error: {problem.Message}";
    }
}
