namespace Groundcrew.Postgres;

/// <summary>A stretch of one segment, and where its bytes are.</summary>
/// <param name="Piece">The run of WAL that has them.</param>
/// <param name="Skip">How many bytes of the run come before them.</param>
/// <param name="At">Their place in the segment.</param>
/// <param name="Length">How many they are.</param>
internal sealed record WalFilePart(WalPiece Piece, long Skip, long At, long Length);

/// <summary>A segment as PostgreSQL asks for it (<c>restore_command</c>).</summary>
/// <param name="Name">Its file name.</param>
/// <param name="Parts">Where its bytes are, in order; what lies behind the last one is zeros.</param>
internal sealed record WalFile(string Name, IReadOnlyList<WalFilePart> Parts)
{
    /// <summary>Whether it has all of its bytes.</summary>
    public bool IsWhole => Parts.Sum(p => p.Length) == Lsn.SegmentBytes;
}

/// <summary>
/// From the log of a plan to the files that PostgreSQL asks for. The segment in which a timeline forks is asked for by the name
/// of the newest timeline that has begun in it, and holds what its ancestors wrote before. Pure.
/// </summary>
internal static class WalFiles
{
    /// <summary>The segments of a plan, in order.</summary>
    public static IReadOnlyList<WalFile> Of(RecoveryPlan plan)
    {
        var path = TimelinePath.To(plan.Timeline, plan.Forks);
        var files = new List<WalFile>();
        var parts = new List<WalFilePart>();
        var reached = plan.Base.Start.SegmentStart();
        foreach (var piece in plan.Wal)
        {
            if (path.Part(piece) is not var (from, to))
                continue;
            from = from > reached ? from : reached;
            while (from < to)
            {
                var segment = from.SegmentStart();
                var end = to < segment + Lsn.SegmentBytes ? to : segment + Lsn.SegmentBytes;
                parts.Add(new(piece, from - piece.Start, from - segment, end - from));
                from = reached = end;
                if (end.SegmentStart() == end)
                    Close(segment);
            }
        }
        if (parts.Count > 0)
            Close(reached.SegmentStart());
        return files;

        void Close(Lsn segment)
        {
            files.Add(new(segment.SegmentName(path.Stretches.Last(s => s.From < reached).Timeline), [.. parts]));
            parts.Clear();
        }
    }

    /// <summary>The history files of a plan by their names, such as <c>00000002.history</c>.</summary>
    public static IReadOnlyDictionary<string, string> Histories(RecoveryPlan plan) =>
        plan.Forks.Select(f => f.Timeline).Distinct().ToDictionary(t => $"{t:X8}.history", t => TimelineHistory.Write(t, plan.Forks), StringComparer.Ordinal);
}
