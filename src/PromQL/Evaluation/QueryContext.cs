namespace Groundcrew.PromQL.Evaluation;

/// <summary>One running query: its limits and how far it is from them.</summary>
internal sealed class QueryContext(EngineOptions options, TimeProvider clock, CancellationToken cancellation) : EvaluationContext
{
    private readonly long _began = clock.GetTimestamp();

    /// <inheritdoc/>
    public override bool DelayedNameRemoval => options.DelayedNameRemoval;

    /// <summary>Ends long selections early.</summary>
    public CancellationToken Cancellation => cancellation;

    /// <summary>The samples that the query holds now.</summary>
    public long Held { get; private set; }

    /// <summary>How many more it may hold.</summary>
    public long Room => options.MaxSamples - Held;

    /// <inheritdoc/>
    public override void ThrowIfStopped()
    {
        if (cancellation.IsCancellationRequested)
            throw new QueryFailedException(QueryErrorKind.Canceled, "query was canceled in expression evaluation");
        if (clock.GetElapsedTime(_began) > options.Timeout)
            throw new QueryFailedException(QueryErrorKind.Timeout, "query timed out in expression evaluation");
    }

    /// <summary>The samples that were read at all steps together; one that several steps see counts for each.</summary>
    public long Queried { get; private set; }

    /// <summary>The most samples that the query held at a time.</summary>
    public long Peak { get; private set; }

    /// <summary>Counts what was read from the source; see <see cref="QueryStats"/>.</summary>
    public void Read(long samples) => Queried += samples;

    /// <summary>What is told of the query when it is done.</summary>
    public QueryStats Stats => new(Queried, Peak);

    /// <inheritdoc/>
    public override void Hold(long samples)
    {
        Held += samples;
        Peak = Math.Max(Peak, Held);
        if (samples > 0 && Held > options.MaxSamples)
            throw TooMany();
    }

    /// <summary>
    /// Columns take room even where there is no sample, unlike in Prometheus: this bounds them, far above what samples are
    /// bound to.
    /// </summary>
    public void CheckRoomFor(long series, Steps steps)
    {
        if (series * Math.Max(steps.Count, 1) > Math.Max(2 * options.MaxSamples, 1_000_000))
            throw TooMany();
    }

    /// <summary>The same for the steps themselves, before there is anything at them.</summary>
    public void CheckSteps(long start, long end, long interval)
    {
        if (interval > 0 && (end - start) / interval >= Math.Min(Math.Max(2 * options.MaxSamples, 1_000_000), Array.MaxLength))
            throw TooMany();
    }

    /// <summary>An expression is done: of all that was held since, only its result is left.</summary>
    public void Settle(long before, long result) => Held = before + result;

    /// <summary>What a query fails with that wants to hold too much.</summary>
    public static QueryFailedException TooMany() =>
        new(QueryErrorKind.Execution, "query processing would load too many samples into memory in query execution");

    /// <summary>What a query fails with that the data does not allow.</summary>
    public static QueryFailedException Failure(string message) => new(QueryErrorKind.Execution, message);
}
