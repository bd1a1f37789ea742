using Groundcrew.Contract;

namespace Groundcrew.Cli;

/// <summary>How a command ended, for scripts. The numbers are stable; <see cref="ExitCodes.All"/> says what each means.</summary>
public enum ExitCode
{
    /// <summary>Done.</summary>
    Ok = 0,

    /// <summary>It was tried and failed; what stood before stands.</summary>
    Failed = 1,

    /// <summary>The command line is wrong.</summary>
    Usage = 2,

    /// <summary>The input has problems, all of them listed; nothing was done.</summary>
    Refused = 3,

    /// <summary>There is no such thing.</summary>
    NotFound = 4,

    /// <summary>No token, an unknown one, or one whose role does not allow it.</summary>
    NotAllowed = 5,

    /// <summary>No control plane answers.</summary>
    Unreachable = 6,

    /// <summary>An operation can go neither on nor back and needs a person.</summary>
    Stuck = 7,

    /// <summary>Something else is there or moves already.</summary>
    Conflict = 8,

    /// <summary>The control plane could not do it: no capacity, no space, or a fault.</summary>
    Unable = 9,

    /// <summary>Ended by Ctrl-C or SIGTERM.</summary>
    Interrupted = 130,
}

/// <summary>An exit code as the reference shows it.</summary>
/// <param name="Code">The code.</param>
/// <param name="Means">What happened.</param>
/// <param name="Next">What to do about it.</param>
public sealed record ExitCodeEntry(ExitCode Code, string Means, string Next);

/// <summary>The one list of exit codes. Immutable.</summary>
public static class ExitCodes
{
    /// <summary>Every code with its meaning, in order.</summary>
    public static IReadOnlyList<ExitCodeEntry> All { get; } =
    [
        new(ExitCode.Ok, "Done.", "Nothing."),
        new(ExitCode.Failed, "It was tried and failed: a build, an operation that was rolled back, a file that cannot be read. What stood before stands.", "Read the reason on stderr, mend it, run it again."),
        new(ExitCode.Usage, "The command line is wrong, or a dangerous verb was not confirmed.", "See `--help` of the verb; add `--yes` to confirm."),
        new(ExitCode.Refused, "The input has problems; every one was listed with its fix. Nothing was done.", "Mend the problems, run it again."),
        new(ExitCode.NotFound, "There is no such project, deployment, node, operation or file.", "List what there is."),
        new(ExitCode.NotAllowed, "No token, an unknown one, or one whose role does not allow it.", "`crew whoami` says who you are; name another token with `--token-file`."),
        new(ExitCode.Unreachable, "No control plane answers.", "Start it with `crew up`, or name its folder with `--data` or its address with `--url`."),
        new(ExitCode.Stuck, "An operation can go neither on nor back and needs a person.", "Remove the cause, then `crew operations resume ID`."),
        new(ExitCode.Conflict, "Another operation moves the same thing, the name is taken, or it changed since it was read.", "Wait for the other operation, then run it again."),
        new(ExitCode.Unable, "The control plane could not do it: no capacity, no space, its store is away, or a fault of ours.", "The reason says what to free; a request id finds a fault in the log."),
        new(ExitCode.Interrupted, "Ended by Ctrl-C or SIGTERM. An operation that was accepted goes on without the command.", "`crew operations watch ID` follows it again."),
    ];

    internal static ExitCode Of(ProblemView problem) => problem switch
    {
        { Status: 401 or 403 } => ExitCode.NotAllowed,
        { Status: 404 } => ExitCode.NotFound,
        { Status: 409 or 412 } => ExitCode.Conflict,
        { Status: >= 500 } => ExitCode.Unable,
        _ => ExitCode.Refused,
    };
}
