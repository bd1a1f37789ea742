using System.Text.Json.Nodes;

namespace Groundcrew.Contract.Manifest;

/// <summary>A record: known keys only, each with its own form.</summary>
internal sealed class RecordForm(Shape shape) : Form
{
    /// <summary>How many keys a message names before it stops listing.</summary>
    private const int MaxNamed = 7;

    public override string Says => shape.Keys.Count <= MaxNamed
        ? $"a map of {Words.And([.. shape.Keys.Select(key => key.Name)])}"
        : $"a map of {string.Join(", ", shape.Keys.Take(MaxNamed).Select(key => key.Name))} and others";

    public Shape Shape => shape;

    public override object? Read(Node node, string path, Judgement judgement)
    {
        if (node is not MapNode map)
            return judgement.RefuseType(path, node, Says);
        var record = shape.Create();
        var seen = new Dictionary<string, MapEntry>(StringComparer.Ordinal);
        foreach (var entry in map.Entries)
            ReadEntry(record, entry, path, seen, judgement);
        foreach (var key in shape.Keys.Where(key => key.Key.Required && !seen.ContainsKey(key.Name)))
            judgement.Refuse(ProblemKinds.MissingKey, Judgement.Join(path, key.Name), $"The key '{key.Name}' is missing.",
                $"Add it, such as '{key.Name}: {key.Key.Example ?? $"{{{key.Key.ExampleName}: …}}"}'.");
        return record;
    }

    public override JsonObject Write(object value)
    {
        var json = new JsonObject();
        foreach (var key in shape.Keys)
        {
            if (key.Property.GetValue(value) is not { } set)
                continue;
            var written = key.Form.Write(set);
            if (key.Default is null || !JsonNode.DeepEquals(written, key.Form.Write(key.Default)))
                json[key.Name] = written;
        }
        return json;
    }

    public override JsonObject Schema(JsonObject definitions)
    {
        if (!definitions.ContainsKey(shape.Name))
        {
            definitions[shape.Name] = null;
            definitions[shape.Name] = ManifestSchema.OfRecord(shape, definitions);
        }
        return new JsonObject { ["$ref"] = $"#/$defs/{shape.Name}" };
    }

    private void ReadEntry(object record, MapEntry entry, string path, Dictionary<string, MapEntry> seen, Judgement judgement)
    {
        var at = Judgement.Join(path, entry.Key);
        judgement.Note(at, entry.Line);
        if (shape.Find(entry.Key) is not { } key)
        {
            judgement.Refuse(ProblemKinds.UnknownKey, at, $"The key '{Words.Show(entry.Key)}' is not known here.", FixForUnknown(entry.Key));
            return;
        }
        if (!seen.TryAdd(key.Name, entry))
            judgement.Refuse(ProblemKinds.DuplicateKey, at, $"'{entry.Key}' and '{seen[key.Name].Key}' are two words for one key.");
        if (key.Form.Read(entry.Value, at, judgement) is { } value)
            key.Property.SetValue(record, value);
    }

    private string FixForUnknown(string word)
    {
        if (Words.Nearest(word, shape.Keys.SelectMany(key => key.Words)) is { } near)
            return $"Did you mean '{near}'?";
        if (shape.Keys.FirstOrDefault(key => key.Form is RecordForm section && section.Shape.Find(word) is not null) is { } owner)
            return $"It belongs below '{owner.Name}'.";
        return $"Remove it; known here are {Words.And([.. shape.Keys.Select(key => key.Name)])}.";
    }
}
