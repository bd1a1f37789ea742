using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Groundcrew.Edge;

/// <summary>
/// The frame of the files that an edge keeps of what it was given: one line of JSON with a version, the digest of the
/// content's bytes as they stand, and the content under a name of its own.
/// </summary>
internal static class StateFile
{
    /// <summary>The digest of a content: SHA-256, in lower case.</summary>
    public static string DigestOf(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content));

    /// <summary>The file's bytes.</summary>
    public static byte[] Encode(int version, string name, byte[] content, string digest) =>
        [.. Encoding.UTF8.GetBytes($$"""{"version":{{version}},"sha256":"{{digest}}","{{name}}":"""), .. content, (byte)'}', (byte)'\n'];

    /// <summary>Reads such bytes back; anything that is not exactly what was written is refused.</summary>
    /// <param name="bytes">The file's bytes.</param>
    /// <param name="newest">The version that is written today; those before it are read too.</param>
    /// <param name="name">Of the content.</param>
    /// <param name="what">What the file holds, for people.</param>
    /// <param name="read">Reads the content, of a version and with a digest; it may throw what reading JSON throws.</param>
    /// <exception cref="InvalidDataException">Says what is wrong with them.</exception>
    public static T Decode<T>(ReadOnlyMemory<byte> bytes, int newest, string name, string what, Func<JsonElement, int, string, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(bytes);
            var root = document.RootElement;
            var version = root.GetProperty("version").GetInt32();
            if (version < 1 || version > newest)
                throw new InvalidDataException($"it has version {version}; this program reads {(newest == 1 ? "version 1" : $"versions 1 to {newest}")}");
            var content = root.GetProperty(name);
            var digest = DigestOf(Encoding.UTF8.GetBytes(content.GetRawText()));
            return root.GetProperty("sha256").GetString() == digest
                ? read(content, version, digest)
                : throw new InvalidDataException("its content does not have the digest that it names");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"it is not {what} ({e.Message})", e);
        }
    }

    /// <summary>Renames a file, so that it is there to be looked at and not in the way; returns words about it.</summary>
    public static string SetAside(string file)
    {
        try
        {
            File.Move(file, file + ".bad", overwrite: true);
            return $"It was set aside as '{file}.bad'.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"It could not be set aside: {e.Message}.";
        }
    }
}
