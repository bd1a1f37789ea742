using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Groundcrew.Contract.Manifest;

/// <summary>A text under a rule.</summary>
internal sealed class TextForm(TextRule rule) : ScalarForm
{
    public override string Says => rule.Says;

    public override JsonNode Write(object value) => JsonValue.Create((string)value);

    // Without quotes, 1.10 is a number to an editor; here it is the text that stands there.
    public override JsonObject Schema(JsonObject definitions) => rule.Pattern is { } pattern
        ? new JsonObject { ["type"] = "string", ["pattern"] = pattern }
        : new JsonObject { ["type"] = new JsonArray("string", "number", "boolean") };

    protected override object? ReadText(string text, string path, Judgement judgement) =>
        rule.Accepts(text, path, judgement) ? text : null;
}

/// <summary>One word of a closed set: the members of an enum.</summary>
internal sealed class ChoiceForm(Type type) : ScalarForm
{
    private readonly Dictionary<string, object> _choices = type.GetFields(BindingFlags.Public | BindingFlags.Static).ToDictionary(
        member => member.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()?.Name ?? member.Name.ToLowerInvariant(),
        member => member.GetValue(null)!);

    public override string Says => $"one of: {string.Join(", ", _choices.Keys)}";

    public override JsonNode Write(object value) => JsonValue.Create(_choices.First(choice => choice.Value.Equals(value)).Key);

    public override JsonObject Schema(JsonObject definitions) =>
        new() { ["enum"] = new JsonArray([.. _choices.Keys.Select(word => (JsonNode)JsonValue.Create(word))]) };

    protected override object? ReadText(string text, string path, Judgement judgement) =>
        _choices.GetValueOrDefault(text)
        ?? judgement.Refuse(ProblemKinds.UnknownChoice, path, $"'{Words.Show(text)}' is not {Says}.",
            Words.Nearest(text, _choices.Keys) is { } near ? $"Did you mean '{near}'?" : $"Write {Words.And([.. _choices.Keys])}.");
}
