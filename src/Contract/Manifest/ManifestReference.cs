using System.Text;
using System.Text.Json.Nodes;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>
/// Makes the reference page of the manifest: one annotated example with every key, how the file is read, and every
/// problem with its fix. Pure and thread-safe.
/// </summary>
public static class ManifestReference
{
    private const int Width = 100;

    /// <summary>The page, as Markdown; the same at every call.</summary>
    public static string Generate()
    {
        var page = new StringBuilder();
        page.Append($"""
            # `{SystemManifest.FileName}`: the manifest

            This page is made from the types that read the manifest (`src/Contract/Manifest`); a test fails when it differs.
            The JSON schema for editors, [crew.schema.json](crew.schema.json), is made from the same types.

            ## Every key

            A manifest needs `system`, `services`, and for each service `run` or `image`. All else has a default.

            ```yaml
            {Example()}```

            ## How it is read

            - The file is YAML in UTF-8, one document, at most {ManifestReader.MaxBytes / 1024} KiB, indented with spaces. Anchors, aliases and tags are refused.
            - Unknown keys are refused. The order of keys does not matter.
            - The file is judged whole: every problem is shown at once, with its line, its path and its fix. Only a text
              that is no YAML hides what comes after.
            - Names are 1 to {Slug.MaxLength} characters of `a-z`, `0-9` and `-`, with a letter or digit at both ends.
            - `service-random-system` (the random part has {Ids.NanoLength} characters) and `service-environment-system` are parts of host
              names, so each has at most {Slug.MaxLabelLength} characters.
            - A duration has a unit: `ms`, `s`, `m`, `h` or `d`; parts may follow each other, as in `1m30s`.
            - `cpu` counts thousandths with `m` (`500m`) and processors without (`2`, `0.5`).
            - `memory` counts in units of 1024 (`Ki`, `Mi`, `Gi`, `Ti`, also `KiB`, …) or of 1000 (`k`, `M`, `G`, `T`, also `KB`, `MB`, `GB`); a bare
              number counts megabytes of 1,000,000 bytes.
            - Other sizes have a unit always (`20MB`, also `20mb`; `1Gi`), and shares have a percent sign (`20%`).
            - Every instance gets `PORT`, `HOST`, `HOME` and `TMPDIR` (a folder of its own), `DEPLOYMENT`, `PROJECT`, `ORG`, `ENVIRONMENT`, `REGION`, and variables that begin with `INSTANCE_` or `GROUNDCREW_`; a manifest cannot set them.
            - What an environment says is laid over what the service says: variables, resources and `edge` key by key, the rest whole. A
              variable that an environment moves from `environment` to `secrets`, or back, is only what it is there.

            ## Problems

            | code | what it means | fix |
            |---|---|---|

            """);
        foreach (var kind in ProblemKinds.All)
            page.Append($"| `{kind.Code}` | {Cell(kind.Means)} | {Cell(kind.Fix)} |\n");
        return page.ToString();
    }

    /// <summary>The annotated example alone: a manifest that <see cref="ManifestReader"/> accepts.</summary>
    public static string Example()
    {
        var yaml = new StringBuilder();
        WriteKeys(Shape.System, indent: 0, yaml);
        return yaml.ToString();
    }

    private static void WriteKeys(Shape shape, int indent, StringBuilder yaml)
    {
        foreach (var (index, key) in shape.Keys.Index())
        {
            if (index > 0)
                yaml.Append('\n');
            WriteKey(key, indent, yaml);
        }
    }

    private static void WriteKey(ShapeKey key, int indent, StringBuilder yaml)
    {
        var margin = new string(' ', indent);
        foreach (var line in Wrapped(key.Key.Says, Width - indent - 2).Concat(Wrapped(Facts(key), Width - indent - 2)))
            yaml.Append($"{margin}# {line}\n");
        if (key.Key.Example is { } example)
        {
            yaml.Append($"{margin}{(key.Key.InsteadOf is null ? "" : "# ")}{key.Name}: {example}\n");
            return;
        }
        yaml.Append($"{margin}{key.Name}:\n");
        if (key.Form is IRecordList list)
        {
            WriteItem(list.Record.Shape, indent + 2, yaml);
            return;
        }
        if (key.Key.ExampleName is { } name)
            yaml.Append($"{margin}  {name}:\n");
        WriteKeys(SectionOf(key.Form), indent + (key.Key.ExampleName is null ? 2 : 4), yaml);
    }

    // The one item of a list: its first key stands behind the dash.
    private static void WriteItem(Shape shape, int indent, StringBuilder yaml)
    {
        var item = new StringBuilder();
        WriteKeys(shape, indent + 2, item);
        var first = $"\n{new string(' ', indent + 2)}{shape.Keys[0].Name}:";
        yaml.Append(item.Replace(first, $"\n{new string(' ', indent)}- {first.TrimStart()}"));
    }

    // What a machine could say of a key, apart from the sentences about it: its form, whether it must be there, its default.
    private static string Facts(ShapeKey key)
    {
        if (key.Form is RecordForm)
            return key.Key.Example is null ? "" : $"(a map like `{key.Name}` of the service)";
        string?[] facts =
        [
            key.Form.Says,
            key.Key.InsteadOf is { } others ? $"instead of {others}" : null,
            key.Key.Required ? "required" : null,
            key.Key.LeftOut is { } leftOut ? $"left out: {leftOut}" : DefaultOf(key),
        ];
        return $"({string.Join("; ", facts.OfType<string>())})";
    }

    private static string? DefaultOf(ShapeKey key)
    {
        if (key.Default is null)
            return null;
        var json = key.Form.Write(key.Default);
        return json is JsonObject { Count: 0 } or JsonArray { Count: 0 } ? "default: none" : $"default: `{json}`";
    }

    private static Shape SectionOf(Form form) => form switch
    {
        RecordForm record => record.Shape,
        ShortRecordForm record => record.Record.Shape,
        MapForm<ServiceManifest> map => SectionOf(map.Value),
        MapForm<EnvironmentManifest> map => SectionOf(map.Value),
        MapForm<DatabaseManifest> map => SectionOf(map.Value),
        _ => throw new InvalidOperationException($"A key of {form.GetType().Name} needs an example."),
    };

    private static IEnumerable<string> Wrapped(string text, int width)
    {
        var line = new StringBuilder();
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line.ToString();
                line.Clear();
            }
            line.Append(line.Length > 0 ? " " : "").Append(word);
        }
        if (line.Length > 0)
            yield return line.ToString();
    }

    // Fixes are the reader's own messages, without Markdown; their stars are stars.
    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal)
        .Replace("*", text.Contains('`') ? "*" : "\\*", StringComparison.Ordinal);
}
