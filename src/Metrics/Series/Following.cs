using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>A place in the write log.</summary>
/// <param name="Segment">The number of the segment.</param>
/// <param name="Offset">The byte in it at which a record begins.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct LogPosition(int Segment, long Offset);

/// <summary>A sample as it was committed.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct LoggedSample(Labels Series, long Time, double Value, FloatHistogram? Histogram);

/// <summary>What was committed, in the order it was committed, for whoever hands it on (remote write). Thread-safe.</summary>
public interface ISampleLog
{
    /// <summary>The place behind the last commit.</summary>
    LogPosition End { get; }

    /// <summary>
    /// Opens the log at a place that an earlier reader came to, or at the oldest that is left when that place is gone.
    /// </summary>
    ISampleLogReader OpenLog(LogPosition from);
}

/// <summary>Goes through the log. Not thread-safe.</summary>
public interface ISampleLogReader : IDisposable
{
    /// <summary>The place behind what was read; open there to go on after a restart.</summary>
    LogPosition Position { get; }

    /// <summary>Samples that were dropped from the log before they could be read, since this reader was opened, as far as that can be known.</summary>
    long Missed { get; }

    /// <summary>Adds the samples of the next commits, about <paramref name="atMost"/> at most (a commit is never divided); none at the end.</summary>
    int Read(List<LoggedSample> into, int atMost);

    /// <summary>Waits until there is something to read.</summary>
    Task WaitAsync(CancellationToken cancellation);
}
