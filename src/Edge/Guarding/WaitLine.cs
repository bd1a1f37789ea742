namespace Groundcrew.Edge;

/// <summary>
/// Those who wait for their turn, first come first served. Bounded in count by who lets them join and in time by who
/// waits. Its owner holds <paramref name="gate"/> for everything but <see cref="WaitAsync"/>; each who waits gets exactly
/// one ending, whatever comes at once.
/// </summary>
/// <param name="gate">The owner's lock.</param>
/// <param name="clock">Ends those whose time is over.</param>
/// <param name="timedOut">What these are told.</param>
/// <param name="left">What those are told who left by themselves.</param>
/// <param name="gone">Called under the lock for each who goes without having been let go.</param>
internal sealed class WaitLine<TEnd>(Lock gate, TimeProvider clock, TEnd timedOut, TEnd left, Action? gone = null)
    where TEnd : struct
{
    private readonly LinkedList<Waiter> _line = [];

    /// <summary>How many wait.</summary>
    public int Count => _line.Count;

    /// <summary>Stands at the end of the line.</summary>
    public Waiter Join()
    {
        var waiter = new Waiter(this);
        waiter.Place = _line.AddLast(waiter);
        return waiter;
    }

    /// <summary>Lets the first go; false when nobody waits.</summary>
    public bool LetFirst(TEnd end)
    {
        if (_line.First is not { } first)
            return false;
        first.Value.End(end);
        return true;
    }

    /// <summary>Lets everyone go, in order.</summary>
    public void LetAll(TEnd end)
    {
        while (LetFirst(end))
        {
        }
    }

    /// <summary>Waits for the ending; called once for each waiter, without the lock.</summary>
    public async ValueTask<TEnd> WaitAsync(Waiter waiter, TimeSpan atMost, CancellationToken cancellation)
    {
        await using var timer = clock.CreateTimer(static w => ((Waiter)w!).GoFor(timedOut: true), waiter, atMost, Timeout.InfiniteTimeSpan);
        await using var leaving = cancellation.UnsafeRegister(static w => ((Waiter)w!).GoFor(timedOut: false), waiter);
        return await waiter.Ended;
    }

    private void Go(Waiter waiter, bool isLate)
    {
        lock (gate)
        {
            if (waiter.Place is null)
                return;
            waiter.End(isLate ? timedOut : left);
            gone?.Invoke();
        }
    }

    /// <summary>One who waits.</summary>
    internal sealed class Waiter(WaitLine<TEnd> line)
    {
        // Continuations run elsewhere: nobody's request is carried by the thread that holds the owner's lock.
        private readonly TaskCompletionSource<TEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>The place in the line; null for one who was told its ending.</summary>
        public LinkedListNode<Waiter>? Place { get; set; }

        /// <summary>Completes with the ending.</summary>
        public Task<TEnd> Ended => _ended.Task;

        /// <summary>Takes it out of the line with an ending; under the lock.</summary>
        public void End(TEnd end)
        {
            line._line.Remove(Place!);
            Place = null;
            _ended.SetResult(end);
        }

        /// <summary>Goes by itself: its time is over, or its client left.</summary>
        public void GoFor(bool timedOut) => line.Go(this, timedOut);
    }
}
