using Groundcrew.Bedrock;

namespace Groundcrew.Metrics.Tests.Intake;

/// <summary>A log in memory; a position's offset is the number of the commit.</summary>
internal sealed class MemoryLog : ISampleLog
{
    private readonly Lock _gate = new();
    private readonly List<LoggedSample[]> _commits = [];
    private readonly Nudge _more = new();

    public LogPosition End
    {
        get
        {
            lock (_gate)
                return new(0, _commits.Count);
        }
    }

    public void Commit(params LoggedSample[] samples)
    {
        lock (_gate)
            _commits.Add(samples);
        _more.Set();
    }

    public ISampleLogReader OpenLog(LogPosition from) => new Reader(this, from);

    private sealed class Reader(MemoryLog log, LogPosition from) : ISampleLogReader
    {
        public LogPosition Position { get; private set; } = from;

        public long Missed => 0;

        public int Read(List<LoggedSample> into, int atMost)
        {
            var before = into.Count;
            lock (log._gate)
                for (; Position.Offset < log._commits.Count && into.Count - before < atMost; Position = Position with { Offset = Position.Offset + 1 })
                    into.AddRange(log._commits[(int)Position.Offset]);
            return into.Count - before;
        }

        public async Task WaitAsync(CancellationToken cancellation)
        {
            var next = log._more.Next;
            if (Position.Offset >= log.End.Offset)
                await next.WaitAsync(cancellation);
        }

        public void Dispose()
        {
        }
    }
}
