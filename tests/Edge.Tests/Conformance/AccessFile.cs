using System.Text.Json;
using Groundcrew.Tests.Support;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>The access log of an edge that runs.</summary>
internal static class AccessFile
{
    /// <summary>Waits for the record of a request, by its id.</summary>
    public static Task<JsonElement> RecordAsync(string folder, string id) => WithAsync(folder, $"\"{id}\"");

    /// <summary>Waits for a record with an outcome.</summary>
    public static Task<JsonElement> WithOutcomeAsync(string folder, string outcome) => WithAsync(folder, $"\"outcome\":\"{outcome}\"");

    public static async Task<string?> OutcomeAsync(string folder, string id) => (await RecordAsync(folder, id)).GetProperty("outcome").GetString();

    private static async Task<JsonElement> WithAsync(string folder, string text)
    {
        JsonElement? record = null;
        await Eventually.TrueAsync(() => (record = Find(Path.Combine(folder, "access.log"), text)) is not null, $"the record with {text}");
        return record!.Value;
    }

    /// <summary>Only whole lines count: the last may just be written.</summary>
    private static JsonElement? Find(string path, string text)
    {
        if (!File.Exists(path))
            return null;
        using var file = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        var line = file.ReadToEnd().Split('\n').FirstOrDefault(l => l.EndsWith('}') && l.Contains(text, StringComparison.Ordinal));
        return line is null ? null : JsonDocument.Parse(line).RootElement;
    }
}
