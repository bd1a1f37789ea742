using System.Globalization;
using System.Runtime.InteropServices;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// The head as it was at the begin of a segment, so that nothing before that segment is needed. Chunks are written as they
/// are. The last record, which holds the times of the head, is what makes it whole.
/// </summary>
internal sealed class Checkpoint
{
    private const int RecordBytes = 1 << 20;
    // The part with the times: its kind, a count, two numbers.
    private const int EndBytes = 1 + 4 + 16;
    private const string Prefix = "checkpoint-";

    private readonly List<HeadSeriesBytes.Capture> _series;
    private readonly List<(int Id, TimeRanges Ranges)> _deleted;
    private readonly long _minValid, _maxTime;

    private Checkpoint(Head head)
    {
        _series = new(head.Table.Count);
        foreach (var series in head.Table.All())
            _series.Add(HeadSeriesBytes.Take(series));
        _deleted = [.. head.Deleted.Select(d => (d.Key, d.Value))];
        (_minValid, _maxTime) = (head.MinValid, head.MaxTime);
    }

    /// <summary>The first bytes of a checkpoint.</summary>
    public static ReadOnlySpan<byte> Header => "GCMCPT\0\u0001"u8;

    /// <summary>Takes what is to be written; the caller holds the gate of commits and a pin on the head.</summary>
    public static Checkpoint Capture(Head head) => new(head);

    /// <summary>The name of the checkpoint at the begin of a segment.</summary>
    public static string PathOf(string folder, int segment) => Path.Combine(folder, Prefix + segment.ToString("D8", CultureInfo.InvariantCulture));

    /// <summary>The checkpoints that are there, newest first.</summary>
    public static List<int> In(string folder)
    {
        var found = new List<int>();
        if (Directory.Exists(folder))
            foreach (var path in Directory.EnumerateFiles(folder, Prefix + "*"))
                if (int.TryParse(Path.GetFileName(path).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                    found.Add(number);
        found.Sort();
        found.Reverse();
        return found;
    }

    /// <summary>Writes it, and gives it its name when all of it is on the disk.</summary>
    public void Write(string folder, int segment, SlotPool slots, DurableFiles files)
    {
        var path = PathOf(folder, segment);
        var temporary = path + ".tmp";
        try
        {
            using (var file = files.OpenAppend(temporary))
                WriteTo(file, slots);
            files.CommitFile(temporary, path);
        }
        catch (IOException)
        {
            // On a full disk the half that was written would take the room that the log needs.
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Why a checkpoint cannot be used; null when it is whole.</summary>
    public static string? Judge(string path)
    {
        using var file = new MappedFile(path);
        var bytes = file.Slice(0, (int)Math.Min(file.Length, Header.Length));
        if (!bytes.SequenceEqual(Header))
            return "it does not begin as a checkpoint of version 1";
        var isEnded = false;
        for (long at = Header.Length; at < file.Length;)
        {
            if (!TryTake(file, ref at, out var content))
                return $"the record at byte {at} is damaged";
            isEnded = content.Length >= EndBytes && content[^EndBytes] == (byte)LogPart.HeadTimes;
        }
        return isEnded ? null : "its end is missing";
    }

    /// <summary>Hands what a checkpoint holds to a visitor.</summary>
    public static void Visit(string path, ILogVisitor visitor)
    {
        using var file = new MappedFile(path);
        for (long at = Header.Length; at < file.Length;)
        {
            if (!TryTake(file, ref at, out var content))
                throw new InvalidDataException($"'{path}' is damaged at byte {at}.");
            LogRecordWriter.Visit(content, visitor);
        }
    }

    private void WriteTo(AppendFile file, SlotPool slots)
    {
        file.Truncate(0);
        file.Append(Header);
        var record = new LogRecordWriter();
        record.Begin();
        foreach (ref readonly var series in CollectionsMarshal.AsSpan(_series))
        {
            HeadSeriesBytes.Write(record.HeadSeries(), slots, in series, _minValid);
            if (record.Length < RecordBytes)
                continue;
            file.Append(record.End());
            record.Begin();
        }
        foreach (var (id, ranges) in _deleted)
            foreach (var (from, to) in ranges.All)
                record.Deleted(id, from, to);
        record.HeadTimes(_minValid, _maxTime);
        file.Append(record.End());
        file.Sync();
    }

    private static bool TryTake(MappedFile file, ref long at, out ReadOnlySpan<byte> content)
    {
        content = default;
        if (file.Length - at < LogFrame.HeaderBytes)
            return false;
        var length = LogFrame.ContentLength(file.Slice(at, LogFrame.HeaderBytes));
        if (length < 0 || length > file.Length - at - LogFrame.HeaderBytes)
            return false;
        var taken = 0;
        if (!LogFrame.TryTake(file.Slice(at, LogFrame.HeaderBytes + length), ref taken, out content))
            return false;
        at += taken;
        return true;
    }
}
