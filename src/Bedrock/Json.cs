using System.Text.Json;
using System.Text.Json.Serialization;

namespace Groundcrew.Bedrock;

/// <summary>The one JSON dialect of the platform: camelCase, enums as camelCase words, nulls left out.</summary>
public static class Json
{
    /// <summary>For the wire and for files of one line.</summary>
    public static JsonSerializerOptions Options { get; } = Make(indented: false);

    /// <summary>The same, for people to read.</summary>
    public static JsonSerializerOptions Indented { get; } = Make(indented: true);

    /// <summary>Puts the dialect into options that a framework made.</summary>
    public static void Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
    }

    private static JsonSerializerOptions Make(bool indented)
    {
        var options = new JsonSerializerOptions { WriteIndented = indented, PropertyNameCaseInsensitive = false };
        Configure(options);
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
