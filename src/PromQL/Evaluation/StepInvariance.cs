namespace Groundcrew.PromQL.Evaluation;

/// <summary>
/// Finds the expressions that give the same at every step, because every selector in them is pinned by <c>@</c>: they are
/// evaluated once and spread over the steps.
/// </summary>
internal static class StepInvariance
{
    /// <summary>
    /// All such expressions below (and including) this one, by reference. Numbers and strings are not in it: there is nothing to
    /// gain from spreading them.
    /// </summary>
    public static HashSet<Expr> Find(Expr expr)
    {
        var found = new HashSet<Expr>(ReferenceEqualityComparer.Instance);
        Visit(expr, found);
        return found;
    }

    private static bool Visit(Expr expr, HashSet<Expr> found)
    {
        var invariant = expr switch
        {
            NumberLiteral or StringLiteral => true,
            VectorSelector selector => selector.At is not null,
            MatrixSelector matrix => matrix.Selector.At is not null,
            Subquery subquery => VisitInside(subquery.Inner, found) && subquery.At is not null,
            Aggregate aggregate => VisitInside(aggregate.Parameter, found) && Visit(aggregate.Inner, found),
            Binary binary => Visit(binary.Left, found) & Visit(binary.Right, found),
            Unary unary => Visit(unary.Inner, found),
            Paren paren => Visit(paren.Inner, found),
            Call call => VisitAll(call.Arguments, found) && !DependsOnTime(call.Function.Name),
            _ => false,
        };
        if (invariant && expr is not (NumberLiteral or StringLiteral))
            found.Add(expr);
        return invariant;
    }

    // What is inside does not decide: a subquery's inside has steps of its own, and a parameter that varies does not make an
    // aggregation vary in Prometheus, which then takes the parameter of the first step.
    private static bool VisitInside(Expr? inside, HashSet<Expr> found)
    {
        if (inside is not null)
            Visit(inside, found);
        return true;
    }

    private static bool VisitAll(IEnumerable<Expr> all, HashSet<Expr> found)
    {
        var invariant = true;
        foreach (var one in all)
            invariant &= Visit(one, found);
        return invariant;
    }

    /// <summary>Functions whose value depends on the moment of evaluation whatever their arguments are.</summary>
    private static bool DependsOnTime(string function) => function is
        "days_in_month" or "day_of_month" or "day_of_week" or "day_of_year" or "hour" or "minute" or "month" or "year" or
        "predict_linear" or "time" or "timestamp";
}
