namespace Groundcrew.Bedrock;

/// <summary>How much a signal asks of people.</summary>
public enum SignalUrgency
{
    /// <summary>Worth knowing.</summary>
    Info,

    /// <summary>Look at it in working hours.</summary>
    Warning,

    /// <summary>Someone must act now.</summary>
    Urgent,
}

/// <summary>"Something needs a human": the one record by which a room tells the rooms above it.</summary>
/// <param name="Kind">Stable and hyphenated, such as <c>operation-stuck</c>.</param>
/// <param name="Subject">What it is about, such as <c>acme/web</c>.</param>
/// <param name="Message">What happened and what to do, for a person.</param>
/// <param name="Urgency">How soon.</param>
/// <param name="At">When it was seen.</param>
public sealed record Signal(string Kind, string Subject, string Message, SignalUrgency Urgency, DateTimeOffset At);

/// <summary>Where a room sends its signals; the daemon connects it. Implementations are thread-safe and never throw.</summary>
public interface ISignals
{
    /// <summary>Hands a signal over.</summary>
    void Raise(Signal signal);
}
