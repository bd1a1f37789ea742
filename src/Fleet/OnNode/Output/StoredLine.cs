using System.Buffers;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// One line of a log file (docs/formats/instance-log.md): either output, with the offset in its spool at which it ends,
/// or a mark with the offsets of both spools. The offsets make the log its own bookmark: what is written was read.
/// </summary>
internal sealed record StoredLine(DateTimeOffset At, string? Stream, string? Text, long? End, SpoolOffsets? Offsets, int? Version)
{
    /// <summary>The version of the format.</summary>
    public const int CurrentVersion = 1;

    private static readonly byte[] NewLine = "\n"u8.ToArray();

    public static StoredLine Output(DateTimeOffset at, string stream, string text, long? end) => new(at, stream, text, end, null, null);

    public static StoredLine Mark(DateTimeOffset at, SpoolOffsets offsets) => new(at, null, null, null, offsets, CurrentVersion);

    public void WriteTo(IBufferWriter<byte> output)
    {
        output.Write(JsonSerializer.SerializeToUtf8Bytes(this, Json.Options));
        output.Write(NewLine);
    }

    /// <summary>Reads one; null for what is no such line.</summary>
    public static StoredLine? Read(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize<StoredLine>(line, Json.Options);
        }
        catch (JsonException)
        {
            return null; // A torn line of a crash of the machine; its neighbours are whole.
        }
    }
}

/// <summary>How far the spools were read, in bytes.</summary>
internal sealed record SpoolOffsets(long Stdout, long Stderr);
