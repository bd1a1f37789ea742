using System.Runtime.InteropServices;

namespace Groundcrew.Postgres;

/// <summary>The part of the log that one timeline gives to a path.</summary>
/// <param name="Timeline">The timeline.</param>
/// <param name="From">Where it left its parent; 0 for the first one.</param>
/// <param name="To">Where the next one left it; the end of all places for the last one.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PathStretch(uint Timeline, Lsn From, Lsn To);

/// <summary>A timeline with its ancestors: the one log that leads to it. Immutable.</summary>
internal sealed class TimelinePath
{
    private readonly Dictionary<uint, PathStretch> _byTimeline;

    private TimelinePath(IReadOnlyList<PathStretch> stretches)
    {
        Stretches = stretches;
        _byTimeline = stretches.ToDictionary(s => s.Timeline);
    }

    /// <summary>From the first ancestor to the timeline itself.</summary>
    public IReadOnlyList<PathStretch> Stretches { get; }

    /// <summary>The timeline that it leads to.</summary>
    public uint Timeline => Stretches[^1].Timeline;

    /// <summary>Where that timeline left its parent; 0 when it has none.</summary>
    public Lsn OwnFrom => Stretches[^1].From;

    /// <summary>The path to a timeline. One whose fork is not known begins at place 0.</summary>
    public static TimelinePath To(uint timeline, IReadOnlyCollection<TimelineFork> forks)
    {
        var stretches = new List<PathStretch>();
        var end = new Lsn(ulong.MaxValue);
        for (var at = timeline; ;)
        {
            var fork = forks.FirstOrDefault(f => f.Timeline == at && f.Parent < at && f.Parent > 0);
            stretches.Add(new(at, fork?.At ?? default, end));
            if (fork is null)
                break;
            (at, end) = (fork.Parent, fork.At);
        }
        stretches.Reverse();
        return new(stretches);
    }

    /// <summary>The paths to every timeline that the archive of a history knows, by timeline.</summary>
    public static IReadOnlyList<TimelinePath> All(ArchiveHistory history) =>
    [
        .. history.Wal.Select(w => w.Timeline).Concat(history.Bases.Select(b => b.Timeline))
            .Concat(history.Forks.Select(f => f.Timeline)).Concat(history.Forks.Select(f => f.Parent))
            .Distinct().Order().Select(t => To(t, history.Forks)),
    ];

    /// <summary>The stretch of one timeline; null when the path does not go along it.</summary>
    public PathStretch? Along(uint timeline) => _byTimeline.TryGetValue(timeline, out var stretch) ? stretch : null;

    /// <summary>
    /// What of a run of WAL lies on the path. The segment in which a timeline begins repeats its parent's bytes before the fork,
    /// so a timeline's runs count from the start of that segment.
    /// </summary>
    public (Lsn From, Lsn To)? Part(WalPiece piece)
    {
        if (Along(piece.Timeline) is not { } stretch)
            return null;
        var from = Max(piece.Start, stretch.From.SegmentStart());
        var to = Min(piece.End, stretch.To);
        return from <= to ? (from, to) : null;
    }

    /// <summary>Whether a base backup was complete before the path left its timeline.</summary>
    public bool Holds(BaseBackupManifest backup) => Along(backup.Timeline) is { } stretch && backup.Start >= stretch.From && backup.Stop <= stretch.To;

    private static Lsn Max(Lsn one, Lsn other) => one > other ? one : other;

    private static Lsn Min(Lsn one, Lsn other) => one < other ? one : other;
}
