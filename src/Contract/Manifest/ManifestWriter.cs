using System.Text.Json.Nodes;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>
/// Writes a manifest in its canonical form: JSON (which is YAML too) with units, without what is as the default says,
/// maps in order of the alphabet. Two manifests that mean the same give the same text. Pure and thread-safe.
/// </summary>
public static class ManifestWriter
{
    /// <summary>The canonical text. Holds names of secrets, never values.</summary>
    public static string ToJson(SystemManifest manifest)
    {
        JsonNode json = new RecordForm(Shape.System).Write(manifest);
        return json.ToJsonString(Json.Indented);
    }
}
