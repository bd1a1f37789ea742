using System.Net;
using Microsoft.Extensions.Primitives;

namespace Groundcrew.Edge;

/// <summary>
/// One request on its way and all that was chosen for it: what routing, limits, records and metrics need to know, and
/// what they may do, whichever path carries it. Belongs to its request; a path that carries many, one after another,
/// uses it again.
/// </summary>
internal abstract class Exchange
{
    private TargetState?[] _tried = [];
    private Snapshot? _table;

    /// <summary>The request's method, in upper case as it came.</summary>
    public abstract string Method { get; }

    /// <summary>The host as the client named it, with its port.</summary>
    public abstract string Host { get; }

    /// <summary>The path, decoded as the full path decodes it, without the query.</summary>
    public abstract string Path { get; }

    /// <summary>Path and query as they came, for a redirect.</summary>
    public abstract string PathAndQuery { get; }

    /// <summary>Whose connection it is, as a plain address (<see cref="AddressText.Plain"/>); null for a Unix socket.</summary>
    public abstract IPAddress? Remote { get; }

    public abstract bool IsTls { get; }

    /// <summary>The length of the body: 0 for none, null when it is not said beforehand.</summary>
    public abstract long? BodyLength { get; }

    /// <summary>Whether the answer has begun, so that no other can be given.</summary>
    public abstract bool HasStarted { get; }

    /// <summary>Fires when the client is gone.</summary>
    public abstract CancellationToken Left { get; }

    /// <summary>The status that the client saw, or would have.</summary>
    public abstract int Status { get; }

    /// <summary>Bytes of the answer's body that were sent; null when that is not known.</summary>
    public abstract long? BytesSent { get; }

    /// <summary>The client's address: <see cref="Remote"/>, or what a trusted proxy says.</summary>
    public IPAddress? Client { get; set; }

    public string RequestId { get; set; } = "";

    public RouteState? Route { get; private set; }

    /// <summary>The deployment that was drawn for it, of those of the route.</summary>
    public BackendState? Backend { get; set; }

    /// <summary>The target that has or had the request last.</summary>
    public TargetState? Target { get; private set; }

    public int Attempts { get; private set; }

    /// <summary>The trial that the target's breaker gave; 0 for none.</summary>
    public long Trial { get; private set; }

    /// <summary>The limit on requests in flight that counts it; null for none.</summary>
    public ConcurrencyGate? Entered { get; set; }

    /// <summary>The limit that turned it away; null for none.</summary>
    public string? LimitedBy { get; set; }

    /// <summary>The breaker of its service that let it in, and the trial that it gave; null before.</summary>
    public Breaker? LetInBy { get; set; }

    public long ServiceTrial { get; set; }

    /// <summary>Whether the client's side is TLS, here or at a trusted proxy in front.</summary>
    public bool IsSecure { get; set; }

    /// <summary>What <c>X-Forwarded-For</c> says: the client, and the trusted proxies on its way.</summary>
    public string? ForwardedFor { get; set; }

    public Outcome Outcome { get; set; }

    /// <summary>The clock's timestamp as it was read last: what follows each other without a wait happens at the same time.</summary>
    public long Now { get; private set; }

    /// <summary>When it began, as a timestamp of the clock.</summary>
    public long StartedAt { get; private set; }

    /// <summary>The same by the wall clock.</summary>
    public DateTimeOffset StartedTime { get; private set; }

    /// <summary>When the target that answered was given the request, and when the head of its answer came; 0 before.</summary>
    public long SentAt { get; protected set; }

    public long AnsweredAt { get; protected set; }

    /// <summary>Whether the connection became an upgraded one, such as a WebSocket.</summary>
    public bool WasUpgraded { get; protected set; }

    /// <summary>The targets that were offered the request and failed.</summary>
    public ReadOnlySpan<TargetState?> Tried => _tried;

    /// <summary>The host's name alone: without the port and the root dot. It is looked up whole (T-40).</summary>
    public ReadOnlySpan<char> HostName
    {
        get
        {
            var host = Host.AsSpan();
            var colon = host.LastIndexOf(':');
            if (colon >= 0 && host[colon..].IndexOf(']') < 0)
                host = host[..colon];
            return host is [.., '.'] ? host[..^1] : host;
        }
    }

    /// <summary>The first value of a header; null when there is none.</summary>
    public abstract string? Header(string name);

    /// <summary>All its values, in order.</summary>
    public abstract StringValues Headers(string name);

    /// <summary>Idempotent (RFC 9110, section 9.2.2) and without a body that could be half gone.</summary>
    public bool IsHarmlessTwice => BodyLength == 0 && Method is "GET" or "HEAD" or "OPTIONS" or "PUT" or "DELETE" or "TRACE";

    /// <summary>Offers the request to <see cref="Target"/>, and carries its answer to the client.</summary>
    public abstract ValueTask<Outcome> SendAsync();

    /// <summary>Sends an answer of the edge's own.</summary>
    public abstract ValueTask AnswerAsync(Answer answer);

    /// <summary>Reads the clock.</summary>
    public long Look(TimeProvider clock) => Now = clock.GetTimestamp();

    /// <summary>
    /// Finds its route in the table that serves, and notes it; null when there is none. Asked again, it looks again only
    /// when another table serves.
    /// </summary>
    public RouteState? FindRoute(Snapshot table)
    {
        if (!ReferenceEquals(_table, table))
            (_table, Route) = (table, table.Find(this));
        return Route;
    }

    /// <summary>Begins, or begins anew with the next request of a connection.</summary>
    protected void Begin(TimeProvider clock)
    {
        (StartedAt, StartedTime, SentAt, AnsweredAt, Attempts) = (Look(clock), clock.GetUtcNow(), 0, 0, 0);
        (Backend, Target, Client, WasUpgraded, Outcome) = (null, null, Remote, false, Outcome.Served);
        (Trial, LetInBy, ServiceTrial, Entered, LimitedBy, IsSecure) = (0, null, 0, null, null, IsTls);
        if (_tried.Length > 0)
            _tried = [];
    }

    /// <summary>It is another request now, which may have another route.</summary>
    protected void ForgetRoute() => (_table, Route) = (null, null);

    /// <summary>A target was claimed for it.</summary>
    /// <param name="target">The target.</param>
    /// <param name="trial">What its breaker gave; 0 when it is closed.</param>
    public void Claimed(TargetState target, long trial)
    {
        (Target, Trial) = (target, trial);
        Attempts++;
    }

    /// <summary>Gives the claim back, whatever happened.</summary>
    public void Release() => Target!.Leave();

    /// <summary>Remembers that the target failed, so that the next one is another.</summary>
    public void Exclude() => _tried = [.. _tried, Target];

    /// <summary>The value of a cookie (RFC 6265, section 4.2); null when there is none.</summary>
    public string? Cookie(string name)
    {
        if (Header("Cookie") is not { } cookies)
            return null;
        foreach (var range in cookies.AsSpan().Split(';'))
        {
            var pair = cookies.AsSpan(range).Trim();
            var equals = pair.IndexOf('=');
            if (equals > 0 && pair[..equals].SequenceEqual(name))
                return pair[(equals + 1)..].ToString();
        }
        return null;
    }
}
