using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Calling;

/// <summary>A command that ends with words for a person and a code for a script.</summary>
internal sealed class CrewFailedException(ExitCode code, string words) : Exception(words)
{
    public ExitCode Code { get; } = code;

    /// <summary>What is wrong with an input that was judged here.</summary>
    public IReadOnlyList<Problem> Problems { get; init; } = [];

    /// <summary>The file that the problems are in.</summary>
    public string? File { get; init; }
}

/// <summary>How an expected failure is told.</summary>
internal sealed record Failure(ExitCode Code, string Words, ProblemView? Problem, string? File)
{
    /// <summary>Null for what is a fault of ours.</summary>
    public static Failure? Of(Exception e, bool isInterrupted) => e switch
    {
        CrewFailedException failed => new(failed.Code, failed.Message, ProblemOf(failed), failed.File),
        CrewProblemException { Problem: var problem } => new(ExitCodes.Of(problem), problem.Detail, problem, null),
        CrewUnreachableException => new(ExitCode.Unreachable, e.Message, null, null),
        OperationCanceledException when isInterrupted => new(ExitCode.Interrupted, "Interrupted.", null, null),
        HttpRequestException or JsonException =>
            new(ExitCode.Unreachable, $"The control plane went away in the middle of its answer ({e.Message}). Run it again; 'crew status' shows whether it is back.", null, null),
        IOException or UnauthorizedAccessException or InvalidDataException => new(ExitCode.Failed, e.Message, null, null),
        _ => null,
    };

    public void Tell(Screen words)
    {
        var problems = Problem?.Problems ?? [];
        if (problems.Count != 1 || File is not null)
            words.Line($"{words.Ink.Of(Tone.Bad, "✗")} {Text.Clean(Words)}");
        foreach (var problem in problems)
            words.Line($"{(problems.Count == 1 && File is null ? words.Ink.Of(Tone.Bad, "✗") + " " : "  ")}{Told(problem)}");
        if (Code == ExitCode.NotFound && Problem is not null)
            words.Line("  'crew projects', 'crew deployments', 'crew nodes' and 'crew operations' list what there is.");
        if (Code == ExitCode.NotAllowed)
            words.Line("  'crew whoami' says who you are; name another token with --token-file.");
    }

    private string Told(Problem problem)
    {
        var line = problem.Line is { } at ? $":{at}" : "";
        var where = File is not null ? $"{File}{line}: " : problem.Line is not null ? $"line {problem.Line}: " : "";
        var path = problem.Path.Length > 0 ? $"{problem.Path}: " : "";
        return Text.Clean($"{where}{path}{problem.Message} {problem.Fix}".TrimEnd());
    }

    private static ProblemView? ProblemOf(CrewFailedException failed) => failed.Problems.Count == 0 ? null : new ProblemView(
        $"urn:groundcrew:problem:{ProblemCodes.BadInput}", "bad input", 400, failed.Message, ProblemCodes.BadInput, failed.Problems);
}
