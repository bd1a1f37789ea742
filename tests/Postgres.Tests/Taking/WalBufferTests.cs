using Groundcrew.Postgres.OnNode;
using Xunit;

namespace Groundcrew.Postgres.Tests.Taking;

/// <summary>What lies between receiving and storing, without a server.</summary>
public sealed class WalBufferTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_segment_gives_back_what_came_however_it_is_cut()
    {
        var random = new Random(5);
        var all = new byte[Lsn.SegmentBytes + 1000];
        random.NextBytes(all);
        using var segment = new WalSegment(1, new Lsn(0x1000000));
        for (var rest = all.AsMemory(); !segment.IsFull;)
            rest = rest[segment.Append(rest.Span[..Math.Min(rest.Length, random.Next(1, 300_000))])..];
        Assert.Equal(0, segment.Append(all));
        Assert.Equal(new Lsn(0x2000000), segment.End);
        using var written = new MemoryStream();
        await segment.WriteAsync(written, 12_345, 5_000_001, CancellationToken.None);
        Assert.True(written.ToArray().AsSpan().SequenceEqual(all.AsSpan(12_345, 5_000_001 - 12_345)));
    }

    [Fact]
    public void Bytes_that_the_storage_has_are_compared_when_they_come_again()
    {
        var bytes = new byte[600_000];
        new Random(6).NextBytes(bytes);
        using var first = new WalSegment(1, new Lsn(0x1000000));
        first.Append(bytes);
        (first.Stored, first.CaughtUpAt) = (500_000, Noon);
        first.Parts.Add("part");

        using var same = first.Again();
        Assert.Equal((500_000, Noon, "part"), (same.Stored, same.CaughtUpAt!.Value, Assert.Single(same.Parts)));
        same.Append(bytes);

        using var other = first.Again();
        bytes[300_000] ^= 1;
        other.Append(bytes.AsSpan(0, 300_000));
        var diverged = Assert.Throws<DivergedException>(() => other.Append(bytes.AsSpan(300_000)));
        Assert.Contains(new Lsn(0x1000000 + 300_000).ToString(), diverged.Message, StringComparison.Ordinal);

        // What is beyond the stored part was only received, and may well be another now.
        using var beyond = first.Again();
        bytes[300_000] ^= 1;
        bytes[550_000] ^= 1;
        beyond.Append(bytes);

        using var twice = beyond.Again();
        using var thrice = twice.Again();
        Assert.Equal(first.Stored, thrice.Stored);
        Assert.NotNull(thrice.Expected);
    }

    [Fact]
    public async Task A_full_buffer_makes_the_reader_wait()
    {
        using var buffer = new WalBuffer();
        var segments = Enumerable.Range(0, WalBuffer.MostSegments + 1).Select(i => new WalSegment(1, new Lsn(0) + (long)i * Lsn.SegmentBytes)).ToArray();
        foreach (var segment in segments[..^1])
            await buffer.AddAsync(segment, CancellationToken.None);
        var waiting = buffer.AddAsync(segments[^1], CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        Assert.True(segments[0].IsClosed);
        Assert.False(segments[^2].IsClosed);
        buffer.Remove(segments[0]);
        await waiting;
        Assert.Equal(segments[1..], buffer.Segments);
    }

    [Fact]
    public void Marks_name_the_latest_moment_of_a_place()
    {
        var marks = new CaughtUpMarks();
        Assert.Null(marks.At(new Lsn(100)));
        marks.Add(new Lsn(100), Noon);
        marks.Add(new Lsn(200), Noon.AddSeconds(1));
        marks.Add(new Lsn(200), Noon.AddSeconds(2));
        marks.Add(new Lsn(150), Noon.AddSeconds(3));
        marks.Add(new Lsn(300), Noon.AddSeconds(2));
        Assert.Null(marks.At(new Lsn(99)));
        Assert.Equal(Noon, marks.At(new Lsn(199)));
        Assert.Equal(Noon.AddSeconds(2), marks.At(new Lsn(200)));
        Assert.Equal(Noon.AddSeconds(2), marks.At(new Lsn(1000)));
        Assert.Null(marks.At(new Lsn(100)));
    }

    [Fact]
    public void Marks_are_few_and_never_promise_too_much()
    {
        var marks = new CaughtUpMarks();
        for (var i = 1; i <= 1000; i++)
            marks.Add(new Lsn((ulong)i * 10), Noon.AddSeconds(i));
        for (var place = 5UL; place <= 10_000; place += 35)
            Assert.True(marks.At(new Lsn(place)) is not { } time || time <= Noon.AddSeconds(place / 10), $"{place}");
        Assert.Equal(Noon.AddSeconds(1000), marks.At(new Lsn(10_000)));
    }

    [Fact]
    public void Runs_and_gaps_are_read_off_what_is_there()
    {
        var wal = new ArchivedWal(1, [Piece(0, 100), Piece(50, 60), Piece(100, 150), Piece(150, 150), Piece(140, 200), Piece(300, 400), Piece(400, 500), Piece(600, 600)]);
        Assert.Equal(new Lsn(500), wal.End);
        Assert.Equal(new Lsn(200), wal.RunFrom(new Lsn(0)));
        Assert.Equal(new Lsn(200), wal.RunFrom(new Lsn(70)));
        Assert.Equal(new Lsn(250), wal.RunFrom(new Lsn(250)));
        Assert.Equal(new Lsn(500), wal.RunFrom(new Lsn(300)));
        Assert.Equal([new WalGap(1, new Lsn(200), new Lsn(300))], wal.Gaps());
        Assert.Null(new ArchivedWal(1, [Piece(10, 10)]).End);
    }

    private static WalPiece Piece(ulong start, ulong end) => new(1, new Lsn(start), new Lsn(end), null, $"{start}-{end}", 1);
}
