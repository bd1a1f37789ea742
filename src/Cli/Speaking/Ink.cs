namespace Groundcrew.Cli.Speaking;

/// <summary>What a piece of text says by its colour; never by its colour alone.</summary>
internal enum Tone
{
    Plain,
    Strong,
    Dim,
    Good,
    Warning,
    Bad,
    Blue,
    Magenta,
    Cyan,
}

/// <summary>Colours text with SGR sequences (ECMA-48, section 8.3.117), or leaves it as it is.</summary>
internal readonly record struct Ink(bool IsOn)
{
    public string Of(Tone tone, string text) => !IsOn || tone == Tone.Plain || text.Length == 0 ? text : $"\e[{CodeOf(tone)}m{text}\e[0m";

    private static int CodeOf(Tone tone) => tone switch
    {
        Tone.Strong => 1,
        Tone.Dim => 2,
        Tone.Good => 32,
        Tone.Warning => 33,
        Tone.Bad => 31,
        Tone.Blue => 34,
        Tone.Magenta => 35,
        Tone.Cyan => 36,
        _ => 0,
    };

    /// <summary>The tone of a state's word.</summary>
    public static Tone OfState(string state) => state switch
    {
        "active" or "ready" or "healthy" or "succeeded" or "done" or "serving" or "current" or "open" or "verified" or "valid" => Tone.Good,
        "failed" or "stuck" or "down" or "unhealthy" or "backingOff" or "rolledBack" or "refused" or "closed" or "expired" or "missing" or "failing" => Tone.Bad,
        "degraded" or "unready" or "draining" or "undoing" or "withdrawn" or "stopping" or "behind" or "silent" or "paused" or "left-out" or "astray" or "expiring" => Tone.Warning,
        "stopped" or "idle" or "inactive" or "drained" or "undone" => Tone.Dim,
        "running" or "deploying" or "pending" or "starting" or "fetching" or "renewing" => Tone.Cyan,
        _ => Tone.Plain,
    };
}
