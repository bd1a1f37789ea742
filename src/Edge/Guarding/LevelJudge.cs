using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>Judges what people and operations lay over the traffic for a while: holds and maintenance. Pure.</summary>
public static class LevelJudge
{
    private const int MaxMessage = 1000;

    /// <summary>Each that waits holds a connection and its buffers.</summary>
    private const int MostWaiting = 1_000_000;

    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromDays(30);

    /// <summary>Adds everything that is wrong with a hold, which stands at <paramref name="path"/>.</summary>
    public static void Judge(Hold hold, string path, ProblemList problems)
    {
        if (!Enum.IsDefined(hold.Kind))
            problems.Add("unknown-word", $"{path}.kind", $"'{hold.Kind}' is not known.", $"Use one of {string.Join(", ", Enum.GetNames<HoldKind>())}.");
        JudgeMessage(hold.Message, path, problems);
        if (hold.Kind != HoldKind.Paused)
            return;
        if (hold.MaxWait <= TimeSpan.Zero || hold.MaxWait > LongestWait)
            problems.Add("bad-duration", $"{path}.maxWait", $"{Quantity.Format(hold.MaxWait)} is no time to wait.",
                $"Use more than 0 and at most {Quantity.Format(LongestWait)}.");
        if (hold.MaxWaiting is < 1 or > MostWaiting)
            problems.Add("bad-count", $"{path}.maxWaiting", $"{hold.MaxWaiting} is too {(hold.MaxWaiting < 1 ? "few" : "many")}.", $"Use 1 to {MostWaiting}, or stop the traffic.");
    }

    /// <summary>Adds everything that is wrong with a maintenance, which stands at <paramref name="path"/>.</summary>
    public static void Judge(Maintenance maintenance, string path, ProblemList problems)
    {
        if (maintenance.Org is not null)
            problems.RequireSlug($"{path}.org", maintenance.Org);
        JudgeMessage(maintenance.Message, path, problems);
        if (maintenance.RetryAfter < TimeSpan.Zero || maintenance.RetryAfter > LongestRetryAfter)
            problems.Add("bad-duration", $"{path}.retryAfter", $"{Quantity.Format(maintenance.RetryAfter)} is no time to come again.",
                $"Use 0 for the default, and at most {Quantity.Format(LongestRetryAfter)}.");
        if (maintenance.Until <= maintenance.Since)
            problems.Add("bad-time", $"{path}.until", "It ends before it begins.", "Give a later end, or none.");
        if (maintenance.Exempt is null)
            problems.Add("missing", $"{path}.exempt", "There is no list of exempt paths.", "Send an empty list when none is.");
        for (var i = 0; i < (maintenance.Exempt?.Count ?? 0); i++)
            JudgeExempt(maintenance.Exempt![i], $"{path}.exempt[{i}]", problems);
    }

    private static void JudgeExempt(string? rule, string path, ProblemList problems)
    {
        if (rule is not ['/', ..] || rule.AsSpan(0, rule.Length - 1).Contains('*') || rule.Contains("/..", StringComparison.Ordinal))
            problems.Add("bad-path", path, $"'{rule}' is no path.", "Begin with '/'; a '*' may stand at the end.");
    }

    private static void JudgeMessage(string? message, string path, ProblemList problems)
    {
        if (message?.Length > MaxMessage)
            problems.Add("too-long", $"{path}.message", $"The message has {message.Length} characters.", $"Use at most {MaxMessage}.");
    }
}
