using System.Text.Json.Nodes;

namespace Groundcrew.Contract.Manifest;

/// <summary>How a program is started: a line, or a list of words.</summary>
internal sealed class CommandForm : Form
{
    private static readonly TextForm Line = new(TextRules.Line);
    private static readonly TextForm Word = new(TextRules.Word);

    public override string Says => "a line for the shell, or a list of words";

    public override object? Read(Node node, string path, Judgement judgement)
    {
        if (node is ScalarNode { IsNothing: false })
            return Line.Read(node, path, judgement) is string line ? new CommandManifest(line.TrimEnd('\n'), null) : null;
        if (node is not ListNode list)
            return judgement.RefuseType(path, node, Says);
        var words = ListForm.ReadItems(list, path, judgement, Word);
        return words.Count == 0 || string.IsNullOrWhiteSpace(words[0])
            ? judgement.Refuse(ProblemKinds.BadCommand, path, "The command names no program.")
            : new CommandManifest(null, words);
    }

    public override JsonNode Write(object value) => value is CommandManifest { Words: { } words }
        ? ListForm.Array(words)
        : JsonValue.Create(((CommandManifest)value).Line ?? throw new ArgumentException("A command has a line or words.", nameof(value)));

    public override JsonObject Schema(JsonObject definitions) => new()
    {
        ["anyOf"] = new JsonArray(
            Line.Schema(definitions),
            new JsonObject { ["type"] = "array", ["minItems"] = 1, ["items"] = Word.Schema(definitions) }),
    };
}

/// <summary>How many copies run: one number, or numbers by region.</summary>
internal sealed class InstancesForm(CountForm count) : Form
{
    public override string Says => $"{count.Says}, or a map of such numbers by region";

    public override object? Read(Node node, string path, Judgement judgement)
    {
        if (node is not MapNode map)
            return node is ScalarNode { IsNothing: false }
                ? count.Read(node, path, judgement) is int everywhere ? InstancesManifest.InEveryRegion(everywhere) : null
                : judgement.RefuseType(path, node, Says);
        if (map.Entries.Count == 0)
            return judgement.Refuse(ProblemKinds.NoValue, path, "No region is named.", "Write one number, or name a region or 'default'.");
        var regions = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in map.Entries)
        {
            var at = Judgement.Join(path, entry.Key);
            judgement.Note(at, entry.Line);
            var isNamed = TextRules.Name.Accepts(entry.Key, at, judgement);
            if (count.Read(entry.Value, at, judgement) is int copies && isNamed)
                regions.Add(entry.Key, copies);
        }
        return new InstancesManifest(regions.Remove(InstancesManifest.DefaultKey, out var byDefault) ? byDefault : null, regions);
    }

    public override JsonNode Write(object value)
    {
        var instances = (InstancesManifest)value;
        if (instances is { Default: { } everywhere, Regions.Count: 0 })
            return count.Write(everywhere);
        var json = new JsonObject();
        if (instances.Default is { } byDefault)
            json[InstancesManifest.DefaultKey] = count.Write(byDefault);
        foreach (var (region, copies) in instances.Regions.OrderBy(region => region.Key, StringComparer.Ordinal))
            json[region] = count.Write(copies);
        return json;
    }

    public override JsonObject Schema(JsonObject definitions) => new()
    {
        ["anyOf"] = new JsonArray(
            count.Schema(definitions),
            new JsonObject
            {
                ["type"] = "object",
                ["minProperties"] = 1,
                ["propertyNames"] = new JsonObject { ["pattern"] = TextRules.Name.Pattern },
                ["additionalProperties"] = count.Schema(definitions),
            }),
    };
}
