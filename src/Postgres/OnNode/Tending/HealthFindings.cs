using System.Globalization;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What of a server's health needs a look. Pure.</summary>
internal static class HealthFindings
{
    private const double ConnectionsPercent = 80;
    private const double WrapAroundPercent = 50;
    private const double HeldOpenSeconds = 300;
    private const long SlotBytes = 4L << 30;

    /// <summary>The findings, the most pressing first; each says what to do.</summary>
    public static IReadOnlyList<string> Of(HealthView health) =>
    [
        .. health.Databases.Where(d => d.ChecksumFailures > 0).Select(d =>
            $"Database '{d.Name}' has read {d.ChecksumFailures} pages with a wrong checksum: its disk or memory is failing. Restore it elsewhere before anything else."),
        .. health.Databases.Where(d => d.WrapAroundPercent >= WrapAroundPercent).Select(d =>
            $"Database '{d.Name}' has used {Number(d.WrapAroundPercent)} % of its transaction numbers; at 100 % the server stops. Vacuum it, and end what holds old transactions open."),
        .. Connections(health.Connections),
        .. health.Replication.Slots.Where(s => s.WalStatus is "lost").Select(s =>
            $"Slot '{s.Name}' has lost the log that it needs: what follows by it has to begin anew."),
        .. health.Replication.Slots.Where(s => s.WalStatus is not "lost" && !s.IsActive && s.RetainedBytes > SlotBytes).Select(s =>
            $"Slot '{s.Name}' is not in use and keeps {s.RetainedBytes >> 20} MB of log: bring its owner back or drop it before the disk is full."),
        .. health.Blocked.Select(b =>
            $"Process {b.Waiting.Pid} of '{b.Waiting.Role}' has waited {Number(b.Waiting.Seconds)} s for {b.Lock}, held by {string.Join(", ", b.Waiting.BlockedBy)}."),
        .. health.LongRunning.Where(r => r.State.StartsWith("idle in transaction", StringComparison.Ordinal) && r.TransactionSeconds > HeldOpenSeconds).Select(r =>
            $"Process {r.Pid} of '{r.Role}' has held a transaction open for {Number(r.TransactionSeconds ?? 0)} s without doing anything; nothing can be vacuumed meanwhile."),
        .. health.LongRunning.Where(r => r.State is "active").Select(r => $"Process {r.Pid} of '{r.Role}' has run one statement for {Number(r.Seconds)} s."),
    ];

    private static IEnumerable<string> Connections(ConnectionsView connections)
    {
        if (connections.PercentOfMax >= ConnectionsPercent)
            yield return $"{connections.Total} of {connections.Max} connections are in use ({Number(connections.PercentOfMax)} %).";
    }

    private static string Number(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
