using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// Answers one question for the output of an instance: JSON lines of <see cref="LogLine"/>. Reads the files beside
/// their writer: they only grow, and are removed whole. One use.
/// </summary>
internal sealed class LogReader(Guid instance, string folder, LogKeeper keeper, TimeProvider clock)
{
    // A blank before a JSON text means nothing (RFC 8259, section 2), but shows whether anyone still reads.
    private static readonly byte[] StillThere = " "u8.ToArray();
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(5);
    private int _number;
    private long _position;

    /// <summary>The lines of a block of bytes that ends with a line's end.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Lines(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Span.IndexOf((byte)'\n') is var end and >= 0)
        {
            yield return bytes[..end];
            bytes = bytes[(end + 1)..];
        }
    }

    public async Task WriteAsync(LogsQuestion question, Stream output, CancellationToken cancellation)
    {
        var next = keeper.Written.Next;
        var isClosed = keeper.IsClosed;
        await WriteAsync(question.Tail is { } tail ? LastOf(New(question), Math.Max(0, tail)) : New(question), output, cancellation);
        while (question.Follow && !isClosed)
        {
            await Nudge.WaitAsync(next, AskEvery, clock, cancellation);
            var hasNews = next.IsCompleted;
            next = keeper.Written.Next;
            // Looked at before the lines: what was written before the close is seen.
            isClosed = keeper.IsClosed;
            if (hasNews)
                await WriteAsync(New(question), output, cancellation);
            else
                await WriteAsync(StillThere, output, cancellation);
        }
    }

    private static IEnumerable<StoredLine> LastOf(IEnumerable<StoredLine> lines, int count)
    {
        var last = new Queue<StoredLine>();
        foreach (var line in lines)
        {
            last.Enqueue(line);
            if (last.Count > count)
                last.Dequeue();
        }
        return last;
    }

    /// <summary>The lines since the last look, over as many files as there are.</summary>
    private IEnumerable<StoredLine> New(LogsQuestion question)
    {
        foreach (var number in LogFiles.Numbers(folder).Where(n => n >= _number))
        {
            if (number > _number)
                (_number, _position) = (number, 0);
            foreach (var line in Lines(NewBytes(number)))
                if (StoredLine.Read(line.Span) is { Stream: not null } stored && (question.Since is not { } since || stored.At >= since))
                    yield return stored;
        }
    }

    private ReadOnlyMemory<byte> NewBytes(int number)
    {
        try
        {
            using var file = File.OpenHandle(LogFiles.PathOf(folder, number), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[Math.Max(0, RandomAccess.GetLength(file) - _position)];
            var count = RandomAccess.Read(file, bytes, _position);
            var whole = Array.LastIndexOf(bytes, (byte)'\n', Math.Max(0, count - 1), count) + 1;
            _position += whole;
            return bytes.AsMemory(0, whole);
        }
        catch (FileNotFoundException)
        {
            return default; // Rotated away meanwhile.
        }
    }

    private async Task WriteAsync(IEnumerable<StoredLine> lines, Stream output, CancellationToken cancellation)
    {
        foreach (var line in lines)
        {
            var words = JsonSerializer.SerializeToUtf8Bytes(new LogLine(line.At, line.Stream!, line.Text ?? "", instance), Json.Options);
            await output.WriteAsync(words, cancellation);
            await output.WriteAsync("\n"u8.ToArray(), cancellation);
        }
        await output.FlushAsync(cancellation);
    }

    private static async Task WriteAsync(byte[] bytes, Stream output, CancellationToken cancellation)
    {
        await output.WriteAsync(bytes, cancellation);
        await output.FlushAsync(cancellation);
    }
}
