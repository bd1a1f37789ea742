using System.Globalization;

namespace Groundcrew.Postgres;

/// <summary>What a key of an archive says. Each kind has the parts that its key is made of.</summary>
internal abstract record ArchiveKey
{
    /// <summary>A run of WAL; <see cref="WalPiece"/> without its object.</summary>
    internal sealed record Wal(string SystemId, uint Timeline, Lsn Start, Lsn End, DateTimeOffset? CaughtUpAt) : ArchiveKey;

    /// <summary>PostgreSQL's history file of a timeline.</summary>
    internal sealed record History(string SystemId, uint Timeline) : ArchiveKey;

    /// <summary>A file of a base backup, with its suffixes.</summary>
    internal sealed record BaseFile(string SystemId, string Backup, string File) : ArchiveKey;

    /// <summary>What makes the files of a base backup one.</summary>
    internal sealed record BaseManifest(string SystemId, string Backup) : ArchiveKey;

    /// <summary>A dump.</summary>
    internal sealed record DumpFile(string Backup) : ArchiveKey;

    /// <summary>What makes a dump one.</summary>
    internal sealed record DumpManifest(string Backup) : ArchiveKey;

    /// <summary>A mark; the words are inside.</summary>
    internal sealed record Mark(string Backup, DateTimeOffset At, MarkKind Kind) : ArchiveKey;
}

/// <summary>
/// Where everything lies in a storage (<c>docs/formats/backup-archive.md</c>): every key is made here and read here. Pure.
/// Keys of WAL, base backup files and dumps are given to <see cref="Pieces.Begin"/>, which adds the suffixes of compression and
/// encryption; manifests, marks and history files are written plainly.
/// </summary>
internal static class ArchiveLayout
{
    /// <summary>PostgreSQL's own manifest of a base backup.</summary>
    public const string ServerManifest = "backup_manifest";

    /// <summary>The data folder of a base backup.</summary>
    public const string DataFolder = "base.tar";

    private const string ManifestFile = "manifest.json";
    private const string MarkTime = "yyyyMMdd'T'HHmmssfff'Z'";

    private static readonly string[] Suffixes = [".enc", ".zst", ".gz"];

    private static readonly (MarkKind Kind, string Word)[] Marks =
    [
        (MarkKind.ChecksumsVerified, "checksums-verified"), (MarkKind.ToolVerified, "tool-verified"), (MarkKind.Restored, "restored"),
        (MarkKind.Damaged, "damaged"), (MarkKind.Kept, "kept"),
    ];

    /// <summary>What the keys of a cluster begin with.</summary>
    public static string Cluster(string cluster) => $"{Part(cluster)}/";

    /// <summary>What the keys of one history of a cluster begin with.</summary>
    public static string History(string cluster, string systemId) => $"{Part(cluster)}/{SystemId(systemId)}/";

    /// <summary>What the keys of a timeline's WAL begin with.</summary>
    public static string Wal(string cluster, string systemId, uint timeline) => $"{History(cluster, systemId)}wal/{timeline:X8}/";

    /// <summary>
    /// The key of a run of WAL. The moment is cut to milliseconds, towards the past. A run of no bytes says only that the server
    /// had nothing more at that moment.
    /// </summary>
    public static string Wal(string cluster, string systemId, uint timeline, Lsn start, Lsn end, DateTimeOffset? caughtUpAt) =>
        end >= start && timeline > 0
            ? $"{Wal(cluster, systemId, timeline)}{start.Value:X16}-{end.Value:X16}-{Math.Max(0, caughtUpAt?.ToUnixTimeMilliseconds() ?? 0).ToString(CultureInfo.InvariantCulture)}"
            : throw new ArgumentException($"No run of WAL goes from {start} to {end} on timeline {timeline}.", nameof(end));

    /// <summary>The key of a timeline's history file, named as PostgreSQL names it.</summary>
    public static string HistoryFile(string cluster, string systemId, uint timeline) => $"{History(cluster, systemId)}history/{timeline:X8}.history";

    /// <summary>What the keys of a base backup begin with.</summary>
    public static string Base(string cluster, string systemId, string backup) => $"{History(cluster, systemId)}base/{Part(backup)}/";

    /// <summary>The key of one file of a base backup: <see cref="DataFolder"/>, <c>16385.tar</c> of a table space, <see cref="ServerManifest"/>.</summary>
    public static string BaseFile(string cluster, string systemId, string backup, string file) => Base(cluster, systemId, backup) + Part(file);

    /// <summary>The key of a base backup's manifest, which is written last.</summary>
    public static string BaseManifest(string cluster, string systemId, string backup) => Base(cluster, systemId, backup) + ManifestFile;

    /// <summary>The key of a dump.</summary>
    public static string DumpFile(string cluster, string dump) => $"{Part(cluster)}/dumps/{Part(dump)}.dump";

    /// <summary>The key of a dump's manifest, which is written last.</summary>
    public static string DumpManifest(string cluster, string dump) => $"{Part(cluster)}/dumps/{Part(dump)}.json";

    /// <summary>The key of a mark.</summary>
    public static string Mark(string cluster, BackupMark mark) =>
        $"{Part(cluster)}/marks/{Part(mark.Backup)}/{mark.At.UtcDateTime.ToString(MarkTime, CultureInfo.InvariantCulture)}-{Marks.First(m => m.Kind == mark.Kind).Word}.json";

    /// <summary>What a key of that cluster says; null when the archive has no such keys.</summary>
    public static ArchiveKey? Read(string cluster, string key)
    {
        var parts = key.Split('/');
        if (parts.Length < 3 || parts[0] != cluster || parts.Any(p => !IsPart(p)))
            return null;
        return parts[1..] switch
        {
            ["dumps", var file] => Dump(file),
            ["marks", var backup, var file] => MarkOf(backup, file),
            [var system, "wal", var timeline, var file] when IsSystemId(system) && Timeline(timeline) is { } number => WalOf(system, number, file),
            [var system, "history", var file] when IsSystemId(system) && file.EndsWith(".history", StringComparison.Ordinal) && Timeline(file[..^8]) is { } number =>
                new ArchiveKey.History(system, number),
            [var system, "base", var backup, ManifestFile] when IsSystemId(system) => new ArchiveKey.BaseManifest(system, backup),
            [var system, "base", var backup, var file] when IsSystemId(system) => new ArchiveKey.BaseFile(system, backup, file),
            _ => null,
        };
    }

    /// <summary>A key without the suffixes of compression and encryption.</summary>
    public static string Bare(string key)
    {
        while (Array.Find(Suffixes, s => key.EndsWith(s, StringComparison.Ordinal)) is { } suffix)
            key = key[..^suffix.Length];
        return key;
    }

    /// <summary>Whether a text may be one part of a key: letters, digits, <c>-</c>, <c>_</c> and <c>.</c>, at most 160, beginning with a letter or digit.</summary>
    public static bool IsPart(string text) =>
        text.Length is > 0 and <= 160 && char.IsAsciiLetterOrDigit(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static ArchiveKey? Dump(string file)
    {
        if (file.EndsWith(".json", StringComparison.Ordinal))
            return new ArchiveKey.DumpManifest(file[..^5]);
        var bare = Bare(file);
        return bare.EndsWith(".dump", StringComparison.Ordinal) ? new ArchiveKey.DumpFile(bare[..^5]) : null;
    }

    private static ArchiveKey.Mark? MarkOf(string backup, string file)
    {
        const int TimeLength = 19;
        if (file.Length <= TimeLength + 6 || !file.EndsWith(".json", StringComparison.Ordinal) || file[TimeLength] != '-'
            || !DateTimeOffset.TryParseExact(file[..TimeLength], MarkTime, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at))
            return null;
        var word = file[(TimeLength + 1)..^5];
        foreach (var (kind, name) in Marks)
        {
            if (name == word)
                return new(backup, at, kind);
        }
        return null;
    }

    private static ArchiveKey.Wal? WalOf(string system, uint timeline, string file)
    {
        if (Bare(file).Split('-') is not [{ Length: 16 } from, { Length: 16 } to, { Length: > 0 and <= 15 } time]
            || !ulong.TryParse(from, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var start)
            || !ulong.TryParse(to, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var end) || end < start
            || !long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var moment) || moment > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
            return null;
        return new(system, timeline, new(start), new(end), moment == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(moment));
    }

    private static uint? Timeline(string text) =>
        text.Length == 8 && uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : null;

    private static bool IsSystemId(string text) => text.Length is > 0 and <= 20 && text.All(char.IsAsciiDigit);

    private static string SystemId(string text) =>
        IsSystemId(text) ? text : throw new ArgumentException($"'{text}' is no system identifier of PostgreSQL.", nameof(text));

    private static string Part(string text) =>
        IsPart(text) ? text : throw new ArgumentException($"'{text}' cannot be a part of a key.", nameof(text));
}
