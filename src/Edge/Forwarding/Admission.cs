namespace Groundcrew.Edge;

/// <summary>Whether a request may pass, before any target hears of it. Thread-safe.</summary>
internal sealed class Admission(EdgeTable table)
{
    /// <summary>Null when it may; otherwise the answer for the client. What was taken for it is given back by <see cref="Leave"/>.</summary>
    public ValueTask<Answer?> AdmitAsync(Exchange exchange)
    {
        table.Find(exchange);
        return new ValueTask<Answer?>((Answer?)null);
    }

    /// <summary>The request has ended.</summary>
    public void Leave(Exchange exchange)
    {
        _ = exchange;
    }
}
