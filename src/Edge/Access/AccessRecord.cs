using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;

namespace Groundcrew.Edge;

/// <summary>
/// What the access log says of one request, as a line of JSON. It holds no query and no body, and of the headers only
/// those that a route names for tenant and user: the rest is where secrets would be (invariant 11). Pure.
/// </summary>
internal static class AccessRecord
{
    private const int MaxHost = 255;
    private const int MaxMethod = 32;
    private const int MaxPath = 2048;
    private const int MaxName = 128;

    /// <summary>What stands in a text of JSON as it is.</summary>
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Writes one JSON object and the end of its line.</summary>
    /// <param name="to">Where to.</param>
    /// <param name="exchange">The request, which has ended.</param>
    /// <param name="duration">How long it took.</param>
    /// <param name="upstream">From when the target was given it to the head of its answer; null when there is none.</param>
    /// <param name="status">The status that the client saw, or would have.</param>
    public static void Write(ref BytesOut to, Exchange exchange, TimeSpan duration, TimeSpan? upstream, int status)
    {
        to.Write("{\"time\":\""u8);
        to.Write(exchange.StartedTime);
        to.Write("\",\"request_id\":\""u8);
        // Its characters are letters, digits and a few more that mean nothing in JSON.
        to.Write(exchange.RequestId);
        WriteText(ref to, "\",\"host\":\""u8, exchange.Host, MaxHost);
        WriteText(ref to, "\",\"method\":\""u8, exchange.Method, MaxMethod);
        WriteText(ref to, "\",\"path\":\""u8, exchange.Path, MaxPath);
        to.Write("\",\"status\":"u8);
        to.Write(status);
        to.Write(",\"outcome\":\""u8);
        to.Write(exchange.Outcome.Word());
        to.Write("\""u8);
        if (exchange.LimitedBy is { } limit)
        {
            // The canonical marker (T-20), which searches look for.
            WriteText(ref to, ",\"event\":\"RATE_LIMIT_EXCEEDED\",\"limit\":\""u8, limit, MaxName);
            to.Write("\""u8);
        }
        WriteMilliseconds(ref to, ",\"duration_ms\":"u8, duration);
        if (upstream is { } took)
            WriteMilliseconds(ref to, ",\"upstream_ms\":"u8, took);
        WriteNumber(ref to, ",\"bytes\":"u8, exchange.BytesSent);
        WriteWhere(ref to, exchange);
        to.Write("}\n"u8);
    }

    /// <summary>A member with a text, for those parts of a record that are the same for many: made once.</summary>
    public static byte[] Member(string name, string value)
    {
        var to = new BytesOut(128);
        to.Write(",\""u8);
        to.Write(name);
        WriteText(ref to, "\":\""u8, value, int.MaxValue);
        to.Write("\""u8);
        var made = to.Written.ToArray();
        to.Dispose();
        return made;
    }

    /// <summary>Who asked, and where it went.</summary>
    private static void WriteWhere(ref BytesOut to, Exchange exchange)
    {
        if (exchange.Client is { } client)
        {
            to.Write(",\"client\":\""u8);
            to.Write(client.ToString());
            to.Write("\""u8);
        }
        if (exchange.Route is { } route)
        {
            to.Write(route.InLog);
            if (exchange.Backend is { } backend)
                to.Write(backend.InLog);
        }
        if (exchange.Target is { } target)
            to.Write(target.InLog);
        WriteNumber(ref to, ",\"attempts\":"u8, exchange.Attempts);
        if (exchange.Attempts > 1)
            WriteNumber(ref to, ",\"retries\":"u8, exchange.Attempts - 1);
        if (exchange.Route?.Policy is not { } policy)
            return;
        WriteHeader(ref to, ",\"tenant\":\""u8, exchange, policy.TenantHeader);
        WriteHeader(ref to, ",\"user\":\""u8, exchange, policy.UserHeader);
    }

    private static void WriteHeader(ref BytesOut to, ReadOnlySpan<byte> before, Exchange exchange, string? header)
    {
        if (header is null || exchange.Header(header) is not { } value)
            return;
        WriteText(ref to, before, value, MaxName);
        to.Write("\""u8);
    }

    private static void WriteNumber(ref BytesOut to, ReadOnlySpan<byte> before, long? number)
    {
        if (number is not { } value)
            return;
        to.Write(before);
        to.Write(value);
    }

    /// <summary>Milliseconds with three digits behind the point.</summary>
    private static void WriteMilliseconds(ref BytesOut to, ReadOnlySpan<byte> before, TimeSpan time)
    {
        var (whole, rest) = Math.DivRem(time.Ticks / TimeSpan.TicksPerMicrosecond, 1000);
        to.Write(before);
        to.Write(whole);
        to.Write([(byte)'.', (byte)('0' + (rest / 100)), (byte)('0' + (rest / 10 % 10)), (byte)('0' + (rest % 10))]);
    }

    private static void WriteText(ref BytesOut to, ReadOnlySpan<byte> before, string text, int most)
    {
        to.Write(before);
        var cut = text.AsSpan(0, Math.Min(text.Length, most));
        if (!cut.ContainsAnyExcept(Plain))
            to.Write(cut);
        else
            to.Write(Encoding.UTF8.GetBytes(JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(cut.ToString())));
    }
}
