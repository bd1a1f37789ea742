using System.Text.Json.Nodes;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>
/// Makes the JSON schema of the manifest (draft 2020-12), so that editors complete and check <c>crew.yaml</c>. It holds
/// what a schema can say; <see cref="ManifestReader"/> is the judge. Pure and thread-safe.
/// </summary>
public static class ManifestSchema
{
    /// <summary>The schema's text, the same at every call.</summary>
    public static string Generate()
    {
        var definitions = new JsonObject();
        var schema = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = SystemManifest.FileName,
            ["description"] = "The manifest of a system that Groundcrew runs.",
        };
        foreach (var (key, value) in OfRecord(Shape.System, definitions).ToList())
            schema[key] = value?.DeepClone();
        schema["$defs"] = definitions;
        return schema.ToJsonString(Json.Indented) + "\n";
    }

    internal static JsonObject OfRecord(Shape shape, JsonObject definitions)
    {
        var properties = new JsonObject();
        foreach (var key in shape.Keys)
            foreach (var word in key.Words)
                properties[word] = OfKey(key, definitions);
        var schema = new JsonObject { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };
        if (shape.Keys.Where(key => key.Key.Required).Select(key => (JsonNode)JsonValue.Create(key.Name)).ToArray() is { Length: > 0 } required)
            schema["required"] = new JsonArray(required);
        return schema;
    }

    private static JsonObject OfKey(ShapeKey key, JsonObject definitions)
    {
        var schema = new JsonObject { ["description"] = key.Key.Says };
        foreach (var (name, value) in key.Form.Schema(definitions).ToList())
            schema[name] = value?.DeepClone();
        if (key.Default is { } byDefault && key.Form is not RecordForm)
            schema["default"] = key.Form.Write(byDefault);
        return schema;
    }
}
