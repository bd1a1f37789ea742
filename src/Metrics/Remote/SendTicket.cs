using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>What was read from the log at once: when all of it is settled, and all before it, the place behind it is safe.</summary>
internal sealed class SendTicket(LogPosition end, int samples)
{
    private int _open = samples;

    public LogPosition End => end;

    public bool IsSettled => Volatile.Read(ref _open) <= 0;

    /// <summary>Notes that a sample was taken, or given up for good.</summary>
    public void Settle() => Interlocked.Decrement(ref _open);
}

/// <summary>A sample on its way out, relabelled.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct OutgoingSample(Labels Series, long Time, double Value, FloatHistogram? Histogram, SendTicket Ticket);
