using System.Text.Json.Nodes;
using System.Xml.Linq;
using Groundcrew.Contract.Manifest;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Contract.Tests.Manifest;

public sealed class ManifestReferenceTests
{
    /// <summary>Every record with keys.</summary>
    private static IReadOnlyList<Type> Sections { get; } =
        [.. typeof(SystemManifest).Assembly.GetTypes().Where(type => type.GetProperties().Any(property => property.IsDefined(typeof(KeyAttribute), inherit: false)))];

    [Fact]
    public void The_reference_page_is_what_the_types_say() =>
        Golden.Check(Path.Combine(Checkout.Root, "docs/reference/manifest.md"), ManifestReference.Generate());

    [Fact]
    public void The_schema_is_what_the_types_say() =>
        Golden.Check(Path.Combine(Checkout.Root, "docs/reference/crew.schema.json"), ManifestSchema.Generate());

    [Fact]
    public void The_annotated_example_reads_without_problems()
    {
        var judged = ManifestReader.Read(ManifestReference.Example(), "the reference page");
        Assert.Empty(judged.Problems);
    }

    [Fact]
    public void The_example_and_its_canonical_form_keep_the_schema()
    {
        var schema = JsonNode.Parse(ManifestSchema.Generate())!;
        var judged = ManifestReader.Read(ManifestReference.Example(), "the reference page");
        var broken = new List<string>();
        CheckAgainst(schema, JsonNode.Parse(ManifestWriter.ToJson(judged.Value!))!, schema, "", broken);
        Assert.Empty(broken);
    }

    [Fact]
    public void The_schema_and_the_types_have_the_same_keys()
    {
        var schema = JsonNode.Parse(ManifestSchema.Generate())!;
        var definitions = schema["$defs"]!.AsObject();
        Assert.Equal(Words(Shape.System), Properties(schema));
        var sections = Sections.Where(type => type != typeof(SystemManifest)).ToList();
        Assert.Equal(sections.Count, definitions.Count);
        Assert.All(sections.Select(Shape.Of), shape => Assert.Equal(Words(shape), Properties(definitions[shape.Name]!)));
    }

    [Fact]
    public void Every_key_stands_in_the_example()
    {
        var example = ManifestReference.Example();
        Assert.All(Sections.SelectMany(type => Shape.Of(type).Keys), key => Assert.Matches($"(?m)^ *(# |- )?{key.Name}:", example));
    }

    [Fact]
    public void The_doc_comment_of_each_key_is_how_its_description_begins()
    {
        var comments = XDocument.Load(Path.Combine(AppContext.BaseDirectory, "Groundcrew.Contract.xml")).Descendants("member")
            .ToDictionary(member => member.Attribute("name")!.Value, member => member.Element("summary")?.Value.Trim());
        Assert.All(Sections.SelectMany(type => Shape.Of(type).Keys), key =>
            Assert.StartsWith(comments[$"P:{key.Property.DeclaringType!.FullName}.{key.Property.Name}"]!.TrimEnd('.'), key.Key.Says, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Words(Shape shape) => shape.Keys.SelectMany(key => key.Words).Order(StringComparer.Ordinal);

    private static IEnumerable<string> Properties(JsonNode schema) =>
        schema["properties"]!.AsObject().Select(property => property.Key).Order(StringComparer.Ordinal);

    // The part of JSON schema that the generator uses for structure: references, choices, objects, arrays and types.
    private static void CheckAgainst(JsonNode schema, JsonNode value, JsonNode root, string path, List<string> broken)
    {
        if (schema["$ref"]?.GetValue<string>() is { } reference)
            schema = root["$defs"]![reference["#/$defs/".Length..]]!;
        if (schema["anyOf"] is JsonArray choices)
        {
            if (!choices.Any(choice => Fits(choice!, value, root, path)))
                broken.Add($"{path}: no choice fits");
            return;
        }
        if (schema["enum"] is JsonArray words && !words.Any(word => JsonNode.DeepEquals(word, value)))
            broken.Add($"{path}: not in the enum");
        string[] types = schema["type"] switch { null => [], JsonArray many => [.. many.Select(type => type!.GetValue<string>())], var one => [one.GetValue<string>()] };
        if (types.Length > 0 && !types.Contains(TypeOf(value)))
            broken.Add($"{path}: {TypeOf(value)} instead of {string.Join(" or ", types)}");
        if (schema["pattern"]?.GetValue<string>() is { } pattern && value is JsonValue && TypeOf(value) == "string"
            && !System.Text.RegularExpressions.Regex.IsMatch(value.GetValue<string>(), pattern))
            broken.Add($"{path}: '{value}' does not match {pattern}");
        if (value is JsonArray items && schema["items"] is { } item)
            foreach (var (index, element) in items.Index())
                CheckAgainst(item, element!, root, $"{path}[{index}]", broken);
        if (value is JsonObject members)
            foreach (var (name, member) in members)
            {
                if ((schema["properties"]?[name] ?? schema["additionalProperties"]) is JsonObject inner)
                    CheckAgainst(inner, member!, root, $"{path}.{name}", broken);
                else
                    broken.Add($"{path}.{name}: not known");
            }
    }

    private static bool Fits(JsonNode schema, JsonNode value, JsonNode root, string path)
    {
        var broken = new List<string>();
        CheckAgainst(schema, value, root, path, broken);
        return broken.Count == 0;
    }

    private static string TypeOf(JsonNode value) => value.GetValueKind() switch
    {
        System.Text.Json.JsonValueKind.Object => "object",
        System.Text.Json.JsonValueKind.Array => "array",
        System.Text.Json.JsonValueKind.String => "string",
        System.Text.Json.JsonValueKind.Number => "integer",
        _ => "boolean",
    };
}
