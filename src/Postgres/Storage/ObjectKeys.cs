using System.Text;

namespace Groundcrew.Postgres;

/// <summary>
/// What may be the key of an object: parts with a '/' between, so that it is the same object in a folder and in a bucket, and
/// never a file outside of the folder. Judged before a storage is asked anything.
/// </summary>
internal static class ObjectKeys
{
    /// <summary>The longest key of S3, in bytes of UTF-8.</summary>
    public const int MaxBytes = 1024;

    /// <summary>The longest name of a file on Linux, in bytes.</summary>
    public const int MaxPartBytes = 255;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Throws when it is not a key.</summary>
    /// <param name="key">What may be one.</param>
    /// <param name="under">What the storage has before its keys; empty, or with '/' at its end.</param>
    /// <exception cref="ArgumentException">It is not one; the message says why.</exception>
    public static void Require(string key, string under = "")
    {
        if ((Refusal(key) ?? (under.Length > 0 ? Refusal(under + key) : null)) is { } why)
            throw new ArgumentException($"'{key}' is not a key of a storage: {why}.", nameof(key));
    }

    /// <summary>Throws when no key can begin so. An empty prefix is one.</summary>
    /// <exception cref="ArgumentException">None can.</exception>
    public static void RequirePrefix(string prefix)
    {
        if (!IsPrefix(prefix))
            throw new ArgumentException($"No key of a storage begins with '{prefix}'.", nameof(prefix));
    }

    /// <summary>Whether a key can begin so.</summary>
    public static bool IsPrefix(string prefix) => Refusal(prefix + "x") is null;

    /// <summary>Compares keys by their bytes: as their text, but for what UTF-16 writes in two halves.</summary>
    public static int Compare(string a, string b)
    {
        var same = a.AsSpan().CommonPrefixLength(b);
        if (same == a.Length || same == b.Length)
            return a.Length.CompareTo(b.Length);
        // The halves stand below U+E000 in UTF-16, and above everything in bytes.
        var (isHigh, isOtherHigh) = (char.IsSurrogate(a[same]), char.IsSurrogate(b[same]));
        return isHigh != isOtherHigh ? isHigh.CompareTo(isOtherHigh) : a[same].CompareTo(b[same]);
    }

    private static string? Refusal(string key)
    {
        try
        {
            return key.Length == 0 ? "it is empty"
                : Strict.GetByteCount(key) > MaxBytes ? $"it has more than {MaxBytes} bytes"
                : key.AsSpan().IndexOfAnyInRange('\0', '\u001f') >= 0 || key.Contains('\u007f', StringComparison.Ordinal) ? "it has control characters"
                : key[0] == '.' ? "it begins with a '.'"
                : key.Split('/').Select(RefusalOfPart).FirstOrDefault(why => why is not null);
        }
        catch (EncoderFallbackException)
        {
            return "it is not text";
        }
    }

    private static string? RefusalOfPart(string part) => part switch
    {
        "" => "it has a '/' at an end, or two in a row",
        "." or ".." => "it has '.' or '..' for a folder",
        _ => Strict.GetByteCount(part) > MaxPartBytes ? $"'{part[..16]}…' has more than {MaxPartBytes} bytes" : null,
    };
}
