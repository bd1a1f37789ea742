using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>What a block says about itself; its file is written last, and is the block's commit.</summary>
/// <param name="Version">Of the block's files.</param>
/// <param name="Id">The name of its folder, ordered by the time at which it was made.</param>
/// <param name="MinTime">No sample is earlier.</param>
/// <param name="MaxTime">All samples are earlier.</param>
/// <param name="Level">How often it was compacted, from 1.</param>
/// <param name="HeadCut">How far the head had been cut when it was made; the smallest number for samples that came out of order.</param>
/// <param name="Parents">The blocks that it replaces.</param>
/// <param name="Series">How many series it has.</param>
/// <param name="Samples">How many samples.</param>
/// <param name="Chunks">How many chunks.</param>
/// <param name="ChunkBytes">The size of <c>chunks</c>.</param>
/// <param name="IndexBytes">The size of <c>index</c>.</param>
/// <param name="Checksum">CRC-32C of this file as it is with a checksum of zero.</param>
internal sealed record BlockMeta(
    int Version, string Id, long MinTime, long MaxTime, int Level, long HeadCut, IReadOnlyList<string> Parents,
    long Series, long Samples, long Chunks, long ChunkBytes, long IndexBytes, uint Checksum = 0)
{
    /// <summary>The file's name.</summary>
    public const string FileName = "meta.json";

    /// <summary>The version that is written.</summary>
    public const int Current = 1;

    /// <summary>What it takes on the disk.</summary>
    public long Bytes => ChunkBytes + IndexBytes;

    public byte[] ToBytes() => Serialize(this with { Checksum = LogFrame.Checksum(Serialize(this with { Checksum = 0 })) });

    /// <summary>Throws <see cref="InvalidDataException"/> when it is not what was written.</summary>
    public static BlockMeta Parse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            var meta = JsonSerializer.Deserialize<BlockMeta>(bytes, Json.Options) ?? throw new InvalidDataException("meta.json is empty");
            if (meta.Version is < 1 or > Current)
                throw new InvalidDataException($"meta.json has version {meta.Version}; this program reads version {Current}");
            return meta.Parents is not null && meta.ToBytes().AsSpan().SequenceEqual(bytes) ? meta : throw new InvalidDataException("meta.json has another checksum");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("meta.json is no JSON that this program knows", e);
        }
    }

    private static byte[] Serialize(BlockMeta meta) => JsonSerializer.SerializeToUtf8Bytes(meta, Json.Indented);
}
