using System.Text.Json;
using System.Text.Json.Serialization;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// Manifests and marks as JSON. Reading is strict: what is missing, unknown, twice there, of another version or in
/// contradiction with itself is refused, since a backup is deleted and restored by what its manifest says. Pure.
/// </summary>
internal static class ManifestJson
{
    private const int Format = 1;

    private static readonly JsonSerializerOptions Options = new(Json.Indented)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        NewLine = "\n",
    };

    /// <summary>The manifest of a base backup as it is stored.</summary>
    public static byte[] Write(BaseBackupManifest manifest) => JsonSerializer.SerializeToUtf8Bytes(manifest, Options);

    /// <summary>The manifest of a dump as it is stored.</summary>
    public static byte[] Write(DumpManifest manifest) => JsonSerializer.SerializeToUtf8Bytes(manifest, Options);

    /// <summary>A mark as it is stored.</summary>
    public static byte[] Write(BackupMark mark) => JsonSerializer.SerializeToUtf8Bytes(new StoredMark(Format, mark.Backup, mark.Kind, mark.At, mark.Words), Options);

    /// <summary>Reads the manifest of a base backup.</summary>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static BaseBackupManifest ReadBase(ReadOnlySpan<byte> json)
    {
        var manifest = Read<BaseBackupManifest>(json);
        var folder = Keys(() => ArchiveLayout.Base(manifest.Cluster, manifest.SystemId, manifest.Name));
        Demand(manifest.Timeline > 0, "its timeline is 0");
        Demand(manifest.Start <= manifest.Stop, "it stops before it starts");
        Demand(manifest.StartedAt <= manifest.StoppedAt, "it was complete before it was begun");
        Demand(manifest.Files.Count > 0, "it names no files");
        foreach (var file in manifest.Files)
            Demand(file, folder);
        return manifest;
    }

    /// <summary>Reads the manifest of a dump.</summary>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static DumpManifest ReadDump(ReadOnlySpan<byte> json)
    {
        var manifest = Read<DumpManifest>(json);
        Demand(manifest.StartedAt <= manifest.StoppedAt, "it was complete before it was begun");
        Demand(manifest.File, Keys(() => ArchiveLayout.DumpFile(manifest.Cluster, manifest.Name)));
        return manifest;
    }

    /// <summary>Reads a mark.</summary>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static BackupMark ReadMark(ReadOnlySpan<byte> json)
    {
        var mark = Read<StoredMark>(json);
        return new(mark.Backup, mark.Kind, mark.At, mark.Words);
    }

    private static T Read<T>(ReadOnlySpan<byte> json)
        where T : class
    {
        try
        {
            var format = JsonSerializer.Deserialize<AnyVersion>(json, Json.Options)?.Format;
            Demand(format is not null, "it does not say its format");
            Demand(format == Format, $"its format is {format}; this program reads format {Format}");
            return JsonSerializer.Deserialize<T>(json, Options) ?? throw new FormatException("it is empty");
        }
        catch (JsonException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    private static string Keys(Func<string> make)
    {
        try
        {
            return make();
        }
        catch (ArgumentException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    private static void Demand(BackupFile? file, string prefix)
    {
        if (file is null)
            throw new FormatException("one of its files is null");
        Demand(file.Key.StartsWith(prefix, StringComparison.Ordinal), $"its file '{file.Key}' lies elsewhere");
        Demand(file is { Bytes: >= 0, PlainBytes: >= 0 }, $"its file '{file.Key}' has less than no bytes");
        Demand(file.Sha256.Length == 64 && file.Sha256.All(c => c is (>= '0' and <= '9') or (>= 'a' and <= 'f')), $"its file '{file.Key}' has no SHA-256 checksum");
    }

    private static void Demand(bool isSo, string otherwise)
    {
        if (!isSo)
            throw new FormatException(otherwise);
    }

    private sealed record AnyVersion(int? Format);

    private sealed record StoredMark(int Format, string Backup, MarkKind Kind, DateTimeOffset At, string Words);
}
