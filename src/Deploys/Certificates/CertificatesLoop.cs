using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;

namespace Groundcrew.Deploys;

/// <summary>
/// Keeps every host of the route table in a certificate and every edge in the set of them. A run lasts as long as orders
/// run, and looks again meanwhile, so that a slow authority holds up no other host.
/// </summary>
internal sealed class CertificatesLoop(
    Store store, Nodes nodes, Routes routes, Certificates certificates, CertificateMaking making, CertificateUpkeep upkeep, ExpiryWatch watch, TimeProvider clock) : ILoop
{
    /// <summary>How many orders run at once: authorities limit how fast they are asked.</summary>
    private const int MostOrders = 4;

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    public string Name => "certificates";

    public TimeSpan Every => LookAgain;

    public Nudge Wake => routes.Changed;

    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var running = new Dictionary<string, Task>(StringComparer.Ordinal);
        var ordered = 0;
        try
        {
            while (true)
            {
                var next = Wake.Next;
                ordered += await LookAsync(running, stop.Token);
                if (running.Count == 0)
                    break;
                await WaitAsync(running, next, cancellation);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(running.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return $"{ordered} certificates were ordered";
    }

    /// <summary>Looks once: mends what is stored, makes what we make ourselves, begins what is due. How many orders it began.</summary>
    private async Task<int> LookAsync(Dictionary<string, Task> running, CancellationToken cancellation)
    {
        await upkeep.MendAsync([.. running.Keys], cancellation);
        await making.MakeAsync(cancellation);
        // A set that is not ours: the store went back to an older backup, and ours must become the newest again.
        var foreign = await certificates.Sets.ForeignAsync(cancellation);
        await store.WriteAsync((db, cancel) => certificates.Sets.PublishAsync(db, cancel, foreign), cancellation);
        var book = await certificates.BookAsync(cancellation);
        await watch.LookAsync(book, cancellation);
        if (running.Count >= MostOrders || making.IsHeld || !await HasEdgeAsync(cancellation))
            return 0;
        var due = book.Due(CertificateSource.Acme).Where(w => !running.ContainsKey(w.Host)).Take(MostOrders - running.Count).ToList();
        foreach (var wanted in due)
        {
            await upkeep.BeginAsync(wanted.Host, cancellation);
            running[wanted.Host] = Task.Run(() => making.OrderAsync(book.Authority, wanted.Host, cancellation), CancellationToken.None);
        }
        return due.Count;
    }

    private async Task WaitAsync(Dictionary<string, Task> running, Task next, CancellationToken cancellation)
    {
        await Nudge.WaitAsync(Task.WhenAny(running.Values.Append(next)), LookAgain, clock, cancellation);
        foreach (var (host, order) in running.Where(r => r.Value.IsCompleted).ToList())
        {
            running.Remove(host);
            await order;
        }
    }

    /// <summary>Without one, no authority finds an answer, and asking would only use up what it allows.</summary>
    private async Task<bool> HasEdgeAsync(CancellationToken cancellation) =>
        (await nodes.ListAsync(cancellation)).Any(n => n.Role == NodeRole.Edge && nodes.IsExpected(n));
}
