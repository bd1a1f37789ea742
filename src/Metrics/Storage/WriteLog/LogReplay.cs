using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// Reads the log back after a start. A torn end, which a crash leaves, is cut off. A damaged place elsewhere costs the
/// records that it touches: the segment is set aside as it is, and written anew with all that is whole.
/// </summary>
internal sealed class LogReplay(string folder, DurableFiles files, TimeProvider clock, StoreMetrics metrics, ISignals signals)
{
    /// <summary>Hands everything from a segment on to a visitor; gives the number of the segment to go on with.</summary>
    public int Run(int first, ILogVisitor visitor)
    {
        var segments = WriteLog.SegmentsIn(folder).Where(s => s >= first).ToList();
        for (var i = 0; i < segments.Count; i++)
            ReplaySegment(segments[i], i == segments.Count - 1, visitor);
        return segments.Count == 0 ? Math.Max(first, 1) : segments[^1] + 1;
    }

    /// <summary>The newest version that this program reads.</summary>
    public static void CheckVersion(ReadOnlySpan<byte> bytes, string path)
    {
        if (bytes.Length >= WriteLog.HeaderBytes && bytes[..7].SequenceEqual(WriteLog.Header[..7]) && bytes[7] > WriteLog.Header[7])
            throw new InvalidDataException($"'{path}' has version {bytes[7]}; this program reads version {WriteLog.Header[7]}.");
    }

    private void ReplaySegment(int segment, bool isLast, ILogVisitor visitor)
    {
        var path = WriteLog.PathOf(folder, segment);
        List<(int From, int To)>? damage = null;
        using (var file = new MappedFile(path))
        {
            var bytes = file.Slice(0, checked((int)file.Length));
            CheckVersion(bytes, path);
            var at = Math.Min(WriteLog.HeaderBytes, bytes.Length);
            if (bytes.Length > 0 && !bytes[..at].SequenceEqual(WriteLog.Header[..at]))
                damage = [(0, at)];
            while (at < bytes.Length)
            {
                if (LogFrame.TryTake(bytes, ref at, out var content))
                {
                    LogRecordWriter.Visit(content, visitor);
                    continue;
                }
                var next = LogFrame.FindNext(bytes, at + 1);
                if (next < 0 && isLast && damage is null)
                {
                    CutTail(path, bytes.Length, at);
                    return;
                }
                (damage ??= []).Add((at, next < 0 ? bytes.Length : next));
                at = next < 0 ? bytes.Length : next;
            }
            if (damage is not null)
                SetAside(path, bytes, damage);
        }
    }

    private void CutTail(string path, int length, int at)
    {
        using (var file = files.OpenAppend(path))
        {
            file.Truncate(at);
            file.Sync();
        }
        signals.Raise(new("metrics-log-torn", Path.GetFileName(path),
            $"The last {length - at} bytes of '{path}' are no whole record and were cut off; a crash leaves such an end, and nothing that was acknowledged is in it.", SignalUrgency.Info, clock.GetUtcNow()));
    }

    private void SetAside(string path, ReadOnlySpan<byte> bytes, List<(int From, int To)> damage)
    {
        metrics.LogCorruptions.Add(damage.Count);
        var whole = new ByteWriter(bytes.Length);
        whole.Bytes(WriteLog.Header);
        var at = WriteLog.HeaderBytes;
        foreach (var (from, to) in damage)
        {
            whole.Bytes(bytes[Math.Min(at, from)..from]);
            at = to;
        }
        whole.Bytes(bytes[at..]);
        files.Replace(path + ".bad", bytes);
        files.Replace(path, whole.Written);
        signals.Raise(new("metrics-log-damaged", Path.GetFileName(path),
            $"'{path}' is damaged in {damage.Count} places ({damage.Sum(d => (long)d.To - d.From)} bytes); the file as it was is '{path}.bad', and all whole records are served. Samples of the damaged records are lost. Check the disk.", SignalUrgency.Warning, clock.GetUtcNow()));
    }
}
