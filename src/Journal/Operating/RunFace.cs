using System.Runtime.CompilerServices;
using Groundcrew.Bedrock;

namespace Groundcrew.Journal;

/// <summary>
/// What the outside sees of a moving operation, and its watchers. Every watcher has a bounded queue; one that does not
/// keep up gets a fresh snapshot instead of what it missed. Thread-safe.
/// </summary>
internal sealed class RunFace(OperationView view, IReadOnlyList<OperationLine> lines)
{
    /// <summary>How many lines of an operation are kept.</summary>
    public const int MaxLines = 500;

    private const int MaxQueued = 256;
    private readonly Lock _gate = new();
    private readonly Queue<OperationLine> _lines = new(lines);
    private readonly List<Watcher> _watchers = [];
    private OperationView _view = view;
    private int _lastNumber = lines.Count > 0 ? lines[^1].Number : 0;
    private int _savedNumber = lines.Count > 0 ? lines[^1].Number : 0;
    private bool _closed;

    public OperationView View => Volatile.Read(ref _view);

    public bool IsOver => View.State is OperationState.Ended or OperationState.Stuck;

    public void Say(DateTimeOffset at, string step, string text)
    {
        lock (_gate)
        {
            var line = new OperationLine(++_lastNumber, at, step, text);
            _lines.Enqueue(line);
            if (_lines.Count > MaxLines)
                _lines.Dequeue();
            Publish(new OperationEvent.Said(line));
        }
    }

    /// <summary>Shows what was written.</summary>
    public void Apply(RunHead head, Dictionary<int, StepView> steps, int savedNumber)
    {
        lock (_gate)
        {
            _savedNumber = Math.Max(_savedNumber, savedNumber);
            StepView[] now = [.. _view.Steps.Select((step, k) => steps.GetValueOrDefault(k, step))];
            _view = _view with { State = head.State, Outcome = head.Outcome, Why = head.Why, EndedAt = head.EndedAt, LinesDropped = Dropped, Steps = now };
            Publish(IsOver ? new OperationEvent.Ended(_view) : new OperationEvent.Changed(_view));
        }
    }

    public void Saved(int number)
    {
        lock (_gate)
            _savedNumber = Math.Max(_savedNumber, number);
    }

    /// <summary>Lines that are not on disk yet, and how many were dropped in all.</summary>
    public (IReadOnlyList<OperationLine> Lines, long Dropped) UnsavedLines()
    {
        lock (_gate)
            return ([.. _lines.Where(l => l.Number > _savedNumber)], Dropped);
    }

    /// <summary>Lets the watchers go: the program ends, or the run died.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            foreach (var watcher in _watchers)
                watcher.Wake.Set();
        }
    }

    public async IAsyncEnumerable<OperationEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var watcher = new Watcher();
        lock (_gate)
            _watchers.Add(watcher);
        try
        {
            while (true)
            {
                var next = watcher.Wake.Next;
                var (events, last) = Take(watcher);
                foreach (var one in events)
                    yield return one;
                if (last)
                    yield break;
                await next.WaitAsync(cancellation);
            }
        }
        finally
        {
            lock (_gate)
                _watchers.Remove(watcher);
        }
    }

    private long Dropped => Math.Max(0, _lastNumber - MaxLines);

    private (List<OperationEvent> Events, bool Last) Take(Watcher watcher)
    {
        lock (_gate)
        {
            List<OperationEvent> events = watcher.Behind ? [new OperationEvent.Snapshot(_view with { LinesDropped = Dropped }, [.. _lines])] : [.. watcher.Queue];
            if (watcher.Behind && IsOver)
                events.Add(new OperationEvent.Ended(_view));
            watcher.Behind = false;
            watcher.Queue.Clear();
            return (events, IsOver || _closed);
        }
    }

    private void Publish(OperationEvent one)
    {
        foreach (var watcher in _watchers)
        {
            if (watcher.Queue.Count >= MaxQueued)
                watcher.Behind = true;
            if (!watcher.Behind)
                watcher.Queue.Enqueue(one);
            watcher.Wake.Set();
        }
    }

    private sealed class Watcher
    {
        /// <summary>The first thing a watcher gets is a snapshot.</summary>
        public bool Behind { get; set; } = true;

        public Queue<OperationEvent> Queue { get; } = new();

        public Nudge Wake { get; } = new();
    }
}
