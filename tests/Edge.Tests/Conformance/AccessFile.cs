using System.Text.Json;
using Groundcrew.Tests.Support;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>The access log of an edge that runs.</summary>
internal static class AccessFile
{
    /// <summary>Waits for the record of a request, by its id.</summary>
    public static async Task<JsonElement> RecordAsync(string folder, string id)
    {
        JsonElement? record = null;
        await Eventually.TrueAsync(() => (record = Find(Path.Combine(folder, "access.log"), id)) is not null, $"the record of {id}");
        return record!.Value;
    }

    public static async Task<string?> OutcomeAsync(string folder, string id) => (await RecordAsync(folder, id)).GetProperty("outcome").GetString();

    private static JsonElement? Find(string path, string id)
    {
        if (!File.Exists(path))
            return null;
        using var file = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        var line = file.ReadToEnd().Split('\n').FirstOrDefault(l => l.EndsWith('}') && l.Contains($"\"{id}\"", StringComparison.Ordinal));
        return line is null ? null : JsonDocument.Parse(line).RootElement;
    }
}
