using System.Collections;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// Writes of a policy only what differs from the defaults, which is little: a table holds one for every route. What is
/// missing is read as the default. Thread-safe.
/// </summary>
internal sealed class PolicyJson : JsonConverter<RoutePolicy>
{
    private static readonly JsonSerializerOptions Short = Make();

    /// <inheritdoc/>
    public override RoutePolicy? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonSerializer.Deserialize<RoutePolicy>(ref reader, Short);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, RoutePolicy value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value, Short);

    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions(Json.Options) { TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { LeaveDefaultsOut } } };
        options.MakeReadOnly();
        return options;
    }

    /// <summary>Of the types whose every member has a default; of the others little is ever written.</summary>
    private static void LeaveDefaultsOut(JsonTypeInfo type)
    {
        if (type.Kind != JsonTypeInfoKind.Object || type.Type.GetConstructor(Type.EmptyTypes) is null)
            return;
        var defaults = type.CreateObject!();
        foreach (var property in type.Properties.Where(p => p.Get is not null))
        {
            var usual = property.Get!(defaults);
            property.ShouldSerialize = (_, value) => !IsSame(value, usual);
        }
    }

    private static bool IsSame(object? value, object? usual) =>
        Equals(value, usual) || (value is ICollection { Count: 0 } && usual is ICollection { Count: 0 });
}
