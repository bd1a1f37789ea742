using System.Text;

namespace Groundcrew.Edge;

/// <summary>The field <c>Date</c> (RFC 9110, section 6.6.1) as bytes, made once a second. Thread-safe.</summary>
internal sealed class DateField(TimeProvider clock)
{
    private volatile Line _line = new(-1, []);

    /// <summary>The whole line with its end.</summary>
    public ReadOnlySpan<byte> Now
    {
        get
        {
            var now = clock.GetUtcNow();
            var second = now.Ticks / TimeSpan.TicksPerSecond;
            var line = _line;
            if (line.Second != second)
                _line = line = new Line(second, Encoding.ASCII.GetBytes($"Date: {now:R}\r\n"));
            return line.Bytes;
        }
    }

    private sealed record Line(long Second, byte[] Bytes);
}
