namespace Groundcrew.Edge;

/// <summary>
/// State that outlives the table that named it: what the next table names too is the same object, and what it does not
/// name is dropped. Thread-safe; one naming at a time, which is how tables are applied. No request comes here.
/// </summary>
internal sealed class Kept<TKey, TState>(Func<TKey, TState> make, IEqualityComparer<TKey>? comparer = null)
    where TKey : notnull
    where TState : class
{
    private readonly Lock _gate = new();
    private readonly Func<TKey, TState> _make = make;
    private readonly IEqualityComparer<TKey> _comparer = comparer ?? EqualityComparer<TKey>.Default;
    private Dictionary<TKey, TState> _states = new(comparer);

    /// <summary>What is kept, in no order.</summary>
    public IReadOnlyList<KeyValuePair<TKey, TState>> All
    {
        get
        {
            lock (_gate)
                return [.. _states];
        }
    }

    /// <summary>Begins to name what a table needs; until <see cref="Naming.End"/> nothing is dropped.</summary>
    public Naming Begin() => new(this);

    /// <summary>What one table names. A naming that is given up half-way drops nothing.</summary>
    internal sealed class Naming(Kept<TKey, TState> kept)
    {
        private readonly Dictionary<TKey, TState> _named = new(kept._comparer);

        /// <summary>The state of a key: the one that is kept, or a new one.</summary>
        public TState Of(TKey key)
        {
            if (_named.TryGetValue(key, out var state))
                return state;
            lock (kept._gate)
                if (!kept._states.TryGetValue(key, out state))
                    kept._states.Add(key, state = kept._make(key));
            _named.Add(key, state);
            return state;
        }

        /// <summary>The table serves: what it did not name is dropped.</summary>
        public void End()
        {
            lock (kept._gate)
                kept._states = new Dictionary<TKey, TState>(_named, kept._comparer);
        }
    }
}
