using Groundcrew.Metrics;

namespace Groundcrew.PromQL;

/// <summary>What is wrong with the text of a query.</summary>
/// <param name="Span">Where.</param>
/// <param name="Message">What was found and what was expected, in Prometheus' words, without the position.</param>
public sealed record ParseProblem(TextSpan Span, string Message);

/// <summary>A query as an expression, or what is wrong with it.</summary>
/// <param name="Expr">The expression; null when there are problems.</param>
/// <param name="Problems">The problems in the order they were found; reading ends at the first that breaks the grammar.</param>
public sealed record ParseResult(Expr? Expr, IReadOnlyList<ParseProblem> Problems)
{
    /// <summary>The text that was read, in which the spans are positions.</summary>
    public string Query { get; init; } = "";

    /// <summary>
    /// The first problem as Prometheus gives it (it shows the first only): <c>1:5: parse error: unexpected ...</c>; empty when
    /// there is none.
    /// </summary>
    public string Error => Problems.Count == 0 ? "" : $"{SourcePosition.Of(Query, Problems[0].Span.Start)}: parse error: {Problems[0].Message}";
}

/// <summary>Reads PromQL. Thread-safe.</summary>
public static class Parser
{
    /// <summary>How many expressions may stand inside each other; what is deeper is refused rather than run into the end of the stack.</summary>
    public const int MaxDepth = 1000;

    /// <summary>Reads and type-checks a query. Never throws for a text, however wrong.</summary>
    /// <param name="query">The text.</param>
    /// <param name="experimental">Whether experimental functions and aggregations are allowed.</param>
    public static ParseResult Parse(string query, bool experimental = true)
    {
        var problems = new List<ParseProblem>();
        var reader = new ExprReader(query, experimental, problems);
        var expr = reader.Query();
        if (expr is not null && problems.Count == 0)
            new TypeCheck(query, problems, reader.IdleMatchings).Check(expr);
        return new(problems.Count == 0 ? expr : null, problems) { Query = query };
    }

    /// <summary>Reads a lone selector such as <c>up{job="x"}</c> (for <c>match[]</c>); the problems are those of a query.</summary>
    public static (IReadOnlyList<LabelMatcher>? Matchers, string? Error) ParseSelector(string selector)
    {
        var problems = new List<ParseProblem>();
        var found = new ExprReader(selector, experimental: false, problems).LoneSelector();
        return found is not null && problems.Count == 0 ? (found.Conditions, null) : (null, new ParseResult(null, problems) { Query = selector }.Error);
    }
}

/// <summary>Positions in a query as people read them.</summary>
public static class SourcePosition
{
    /// <summary><c>line:column</c>, both from 1, the column in bytes of UTF-8 as Prometheus counts it.</summary>
    /// <param name="query">The text.</param>
    /// <param name="at">A position in it, in UTF-16 characters.</param>
    public static string Of(string query, int at)
    {
        if (query.Length == 0)
            return "unknown position";
        if (at < 0 || at > query.Length)
            return "invalid position";
        var before = query.AsSpan(0, at);
        var line = before.Count('\n') + 1;
        return $"{line}:{System.Text.Encoding.UTF8.GetByteCount(before[(before.LastIndexOf('\n') + 1)..]) + 1}";
    }
}
