using Groundcrew.PromQL.Scripts;

namespace Groundcrew.PromQL;

/// <summary>One evaluation of a script and how it ended.</summary>
/// <param name="Line">Where it stands, from 1.</param>
/// <param name="Query">What was asked.</param>
/// <param name="Failure">Why it is not as expected; null when it passed.</param>
/// <param name="Expected">What was expected, where that can be shown.</param>
/// <param name="Actual">What came instead.</param>
public sealed record ScriptEval(int Line, string Query, string? Failure = null, string? Expected = null, string? Actual = null)
{
    /// <summary>Whether the answer and those of all variants were as expected.</summary>
    public bool Passed => Failure is null;
}

/// <summary>How a script ended.</summary>
/// <param name="Name">The script's name.</param>
/// <param name="Evals">Its evaluations in order, up to the line that could not be read.</param>
/// <param name="Problem">The line that could not be read and why; null when all could.</param>
public sealed record ScriptReport(string Name, IReadOnlyList<ScriptEval> Evals, (int Line, string Message)? Problem = null)
{
    /// <summary>How many evaluations passed.</summary>
    public int Passed => Evals.Count(e => e.Passed);

    /// <summary>How many did not; a script that could not be read counts as one more.</summary>
    public int Failed => Evals.Count - Passed + (Problem is null ? 0 : 1);
}

/// <summary>Runs test scripts of the format that Prometheus tests itself with. Thread-safe.</summary>
public static class PromQLScript
{
    /// <summary>
    /// The settings that scripts are written for: 10,000 samples a query, experimental functions, names dropped at the end of
    /// the query.
    /// </summary>
    public static EngineOptions DefaultOptions { get; } = new() { MaxSamples = 10_000, Experimental = true, DelayedNameRemoval = true, Timeout = TimeSpan.FromSeconds(100) };

    /// <summary>
    /// Runs a script on a store of its own. Each instant evaluation is also run as a range query around its time, and with its
    /// selectors pinned by <c>@</c> at other times; it passes when all of them give what is expected.
    /// </summary>
    /// <param name="text">The script.</param>
    /// <param name="name">What the report calls it.</param>
    /// <param name="clock">What the engine measures its time limit with.</param>
    /// <param name="options">How the engine evaluates; <see cref="DefaultOptions"/> when null.</param>
    /// <param name="cancellation">Ends the run between two queries.</param>
    public static ScriptReport Run(string text, string name, TimeProvider clock, EngineOptions? options = null, CancellationToken cancellation = default)
    {
        var run = new ScriptRun(new QueryEngine(options ?? DefaultOptions, clock), cancellation);
        try
        {
            foreach (var command in new ScriptReader(text).Commands())
                run.Do(command);
            return new(name, run.Evals);
        }
        catch (ScriptProblemException problem)
        {
            return new(name, run.Evals, (problem.Line, problem.Message));
        }
    }
}
