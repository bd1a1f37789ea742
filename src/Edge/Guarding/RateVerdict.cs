using System.Runtime.InteropServices;

namespace Groundcrew.Edge;

/// <summary>What a rate limiter says of one request, for <c>X-RateLimit-*</c>, <c>RateLimit</c> and <c>Retry-After</c>.</summary>
/// <param name="Limit">How many fit into a full bucket.</param>
/// <param name="Remaining">How many more may come now.</param>
/// <param name="ResetAfter">When the bucket is full again if nothing else comes.</param>
/// <param name="RetryAfter">When the next one may come; zero for at once.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct RateVerdict(int Limit, int Remaining, TimeSpan ResetAfter, TimeSpan RetryAfter)
{
    /// <summary><see cref="ResetAfter"/> in whole seconds, never too few.</summary>
    public long ResetSeconds => CeilingOf(ResetAfter);

    /// <summary><see cref="RetryAfter"/> in whole seconds, never too few (RFC 9110, section 10.2.3).</summary>
    public long RetrySeconds => CeilingOf(RetryAfter);

    private static long CeilingOf(TimeSpan time) => (time.Ticks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond;
}
