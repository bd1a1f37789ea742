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
    /// <exception cref="ArgumentException">It is not one; the message says why.</exception>
    public static void Require(string key)
    {
        if (Refusal(key) is { } why)
            throw new ArgumentException($"'{key}' is not a key of a storage: {why}.", nameof(key));
    }

    /// <summary>Throws when no key can begin so. An empty prefix is one.</summary>
    /// <exception cref="ArgumentException">None can; the message says why.</exception>
    public static void RequirePrefix(string prefix)
    {
        // Behind the last '/' anything may stand that can begin a name.
        var whole = prefix.Length == 0 || prefix[^1] == '/' ? prefix + "x" : prefix + (prefix[^1] == '.' ? "x" : "");
        if (Refusal(whole) is { } why)
            throw new ArgumentException($"No key of a storage begins with '{prefix}': {why}.", nameof(prefix));
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
