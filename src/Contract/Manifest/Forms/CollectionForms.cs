using System.Text.Json.Nodes;

namespace Groundcrew.Contract.Manifest;

/// <summary>A list of texts.</summary>
/// <param name="item">What each is.</param>
/// <param name="orOne">Whether one text may stand for a list of one; such a list may not be empty.</param>
internal sealed class ListForm(TextForm item, bool orOne = false) : Form
{
    public override string Says => orOne ? $"{item.Says}, or a list of them" : $"a list, each item {item.Says}";

    public override object? Read(Node node, string path, Judgement judgement)
    {
        if (orOne && node is ScalarNode { IsNothing: false })
            return item.Read(node, path, judgement) is string one ? new[] { one } : null;
        if (node is not ListNode list)
            return judgement.RefuseType(path, node, Says,
                node is ScalarNode scalar ? $"Put it in a list: [\"{Words.Show(scalar.Text)}\"]." : null);
        if (orOne && list.Items.Count == 0)
            return judgement.Refuse(ProblemKinds.NoValue, path, "The list is empty.", "Name at least one, or remove the key.");
        return ReadItems(list, path, judgement, item);
    }

    public override JsonNode Write(object value) =>
        (IReadOnlyList<string>)value is [var one] && orOne ? item.Write(one) : Array((IReadOnlyList<string>)value);

    public override JsonObject Schema(JsonObject definitions)
    {
        var list = new JsonObject { ["type"] = "array", ["items"] = item.Schema(definitions) };
        if (!orOne)
            return list;
        list["minItems"] = 1;
        return new JsonObject { ["anyOf"] = new JsonArray(item.Schema(definitions), list) };
    }

    /// <summary>Reads each item; those that are refused are missing from the answer.</summary>
    public static List<string> ReadItems(ListNode list, string path, Judgement judgement, TextForm item)
    {
        var items = new List<string>();
        foreach (var (index, node) in list.Items.Index())
        {
            judgement.Note($"{path}[{index}]", node.Line);
            if (item.Read(node, $"{path}[{index}]", judgement) is string text)
                items.Add(text);
        }
        return items;
    }

    public static JsonArray Array(IReadOnlyList<string> items) => new([.. items.Select(text => (JsonNode)JsonValue.Create(text))]);
}

/// <summary>Values by names that people choose.</summary>
/// <param name="what">What each entry is: <c>service</c>.</param>
/// <param name="names">The rules for the names; the first that is broken is told.</param>
/// <param name="value">What stands after each name.</param>
/// <param name="mayBeEmpty">Whether there may be none.</param>
internal sealed class MapForm<T>(string what, IReadOnlyList<TextRule> names, Form value, bool mayBeEmpty = true) : Form
    where T : class
{
    public override string Says => $"a map with the {what}'s name as each key";

    /// <summary>What stands after each name.</summary>
    public Form Value => value;

    public override object? Read(Node node, string path, Judgement judgement)
    {
        if (node is not MapNode map)
            return judgement.RefuseType(path, node, Says);
        if (map.Entries.Count == 0 && !mayBeEmpty)
            return judgement.Refuse(ProblemKinds.NoValue, path, $"There is no {what}.", $"Name at least one {what}.");
        var values = new Dictionary<string, T>(StringComparer.Ordinal);
        foreach (var entry in map.Entries)
        {
            var at = Judgement.Join(path, entry.Key);
            judgement.Note(at, entry.Line);
            var isNamed = names.All(rule => rule.Accepts(entry.Key, at, judgement));
            if (value.Read(entry.Value, at, judgement) is T read && isNamed)
                values.Add(entry.Key, read);
        }
        return values;
    }

    public override JsonNode Write(object value) => new JsonObject(
        ((IReadOnlyDictionary<string, T>)value).OrderBy(entry => entry.Key, StringComparer.Ordinal)
            .Select(entry => KeyValuePair.Create<string, JsonNode?>(entry.Key, Value.Write(entry.Value))));

    public override JsonObject Schema(JsonObject definitions)
    {
        var rules = new JsonArray([.. names.Select(rule => new JsonObject { ["pattern"] = rule.Pattern })]);
        var schema = new JsonObject { ["type"] = "object", ["propertyNames"] = new JsonObject { ["allOf"] = rules }, ["additionalProperties"] = value.Schema(definitions) };
        if (!mayBeEmpty)
            schema["minProperties"] = 1;
        return schema;
    }
}
