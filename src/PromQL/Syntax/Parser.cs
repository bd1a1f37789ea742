using Groundcrew.Metrics;

namespace Groundcrew.PromQL;

/// <summary>What is wrong with the text of a query.</summary>
/// <param name="Span">Where.</param>
/// <param name="Message">What was found and what was expected, in Prometheus' words, without the position.</param>
public sealed record ParseProblem(TextSpan Span, string Message);

/// <summary>A query as an expression, or everything that is wrong with it.</summary>
/// <param name="Expr">The expression; null when there are problems.</param>
/// <param name="Problems">All problems that were found.</param>
public sealed record ParseResult(Expr? Expr, IReadOnlyList<ParseProblem> Problems)
{
    /// <summary>The problems on one line as Prometheus gives them: <c>1:5: parse error: unexpected ...</c>; empty when there is none.</summary>
    public string Error => throw new NotSupportedException("Comes with its branch.");
}

/// <summary>Reads PromQL. Thread-safe.</summary>
public static class Parser
{
    /// <summary>Reads and type-checks a query. Never throws for a text, however wrong.</summary>
    public static ParseResult Parse(string query) => throw new NotSupportedException("Comes with its branch.");

    /// <summary>Reads a lone selector such as <c>up{job="x"}</c> (for <c>match[]</c>); the problems are those of a query.</summary>
    public static (IReadOnlyList<LabelMatcher>? Matchers, string? Error) ParseSelector(string selector) => throw new NotSupportedException("Comes with its branch.");
}
