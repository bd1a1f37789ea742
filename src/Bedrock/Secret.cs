using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Groundcrew.Bedrock;

/// <summary>
/// A value that must appear in no log, view, error or audit entry (invariant 11). It redacts itself in text, JSON and
/// the debugger, and is opened by one explicit call, at the last moment. Immutable.
/// </summary>
[DebuggerDisplay("{ToString(),nq}")]
[JsonConverter(typeof(RedactingConverter))]
public sealed class Secret(string value) : IEquatable<Secret>
{
    /// <summary>What stands in its place.</summary>
    public const string Redacted = "[secret]";

    private readonly string _value = value;

    /// <summary>The value itself: call it only where it leaves for the place that needs it.</summary>
    public string Reveal() => _value;

    /// <inheritdoc/>
    public override string ToString() => Redacted;

    /// <summary>Compares in constant time.</summary>
    public bool Equals(Secret? other) =>
        other is not null
        && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(_value), Encoding.UTF8.GetBytes(other._value));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Secret);

    /// <inheritdoc/>
    public override int GetHashCode() => _value.GetHashCode(StringComparison.Ordinal);

    private sealed class RedactingConverter : JsonConverter<Secret>
    {
        public override Secret? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.GetString() is { } text ? new Secret(text) : null;

        public override void Write(Utf8JsonWriter writer, Secret value, JsonSerializerOptions options) =>
            writer.WriteStringValue(Redacted);
    }
}
