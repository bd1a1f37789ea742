using System.Globalization;
using System.Text.Json.Nodes;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>Yes or no, in YAML's own words for it (YAML 1.2, section 10.3.2).</summary>
internal sealed class FlagForm : ScalarForm
{
    public override string Says => "true or false";

    public override JsonNode Write(object value) => JsonValue.Create((bool)value);

    public override JsonObject Schema(JsonObject definitions) => new() { ["type"] = "boolean" };

    protected override object? ReadText(string text, string path, Judgement judgement) => text switch
    {
        "true" => true,
        "false" => false,
        _ => judgement.Refuse(ProblemKinds.UnknownChoice, path, $"'{Words.Show(text)}' is not {Says}.", $"Write {Says}."),
    };
}

/// <summary>A share in whole percent.</summary>
internal sealed class PercentForm(KeyAttribute key) : QuantityForm<int>(key)
{
    private const int MaxDigits = 5;

    protected override string What => "a share in percent";

    protected override ProblemKind Unreadable => ProblemKinds.BadPercent;

    public override JsonNode Write(object value) => JsonValue.Create($"{value}%");

    public override JsonObject Schema(JsonObject definitions) => new() { ["type"] = "string", ["pattern"] = "^[0-9]+%$" };

    protected override int? Parse(string text) =>
        text is [.. { Length: > 0 and <= MaxDigits } digits, '%'] && digits.All(char.IsAsciiDigit) ? int.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture) : null;

    protected override string? FixFor(string text) =>
        text.Length is > 0 and <= MaxDigits && text.All(char.IsAsciiDigit) ? $"Write the unit: {text}%." : null;
}

/// <summary>A size in bytes, always with its unit: a bare number would mean bytes to one reader and megabytes to another.</summary>
internal sealed class SizeForm(KeyAttribute key) : QuantityForm<long>(key)
{
    protected override string What => "a size";

    protected override ProblemKind Unreadable => ProblemKinds.BadSize;

    public override JsonNode Write(object value) => MemoryForm.Written((long)value);

    public override JsonObject Schema(JsonObject definitions) =>
        new() { ["type"] = "string", ["pattern"] = "^[0-9]*\\.?[0-9]+ ?([KMGT]iB?|[KMGkmg][Bb]|TB|[kKMGTB])$" };

    // 20mb is how many write it, and can mean nothing else: bits have no place here.
    protected override long? Parse(string text) => text switch
    {
        [.., >= '0' and <= '9'] => null,
        [.. var number, 'k' or 'm' or 'g' or 'K' or 'M' or 'G', 'b' or 'B'] => Quantity.ParseBytes($"{number}{char.ToUpperInvariant(text[^2])}B"),
        [.. var number, 'T', 'B'] => Quantity.ParseBytes($"{number}T"),
        _ => Quantity.ParseBytes(text),
    };

    protected override string? FixFor(string text) =>
        text.Length is > 0 and < 20 && text.All(char.IsAsciiDigit) ? $"Write the unit: {text}MB for megabytes, {text}B for bytes." : null;
}

/// <summary>A record, or its one telling key alone: a probe's path.</summary>
internal sealed class ShortRecordForm(RecordForm record, string telling) : Form
{
    private readonly ShapeKey _telling = record.Shape.Find(telling) ?? throw new ArgumentException($"There is no key '{telling}'.", nameof(telling));

    public override string Says => $"{_telling.Form.Says}, or {record.Says}";

    /// <summary>The long form.</summary>
    public RecordForm Record => record;

    public override object? Read(Node node, string path, Judgement judgement)
    {
        if (node is MapNode)
            return record.Read(node, path, judgement);
        if (node is not ScalarNode { IsNothing: false })
            return judgement.RefuseType(path, node, Says);
        if (_telling.Form.Read(node, path, judgement) is not { } value)
            return null;
        var made = record.Shape.Create();
        _telling.Property.SetValue(made, value);
        return made;
    }

    public override JsonNode Write(object value)
    {
        var written = record.Write(value);
        return written.Count == 1 && written[_telling.Name] is { } alone ? alone.DeepClone() : written;
    }

    public override JsonObject Schema(JsonObject definitions) =>
        new() { ["anyOf"] = new JsonArray(_telling.Form.Schema(definitions), record.Schema(definitions)) };
}

/// <summary>A list of records, whatever they are.</summary>
internal interface IRecordList
{
    /// <summary>What each item is.</summary>
    RecordForm Record { get; }
}

/// <summary>A list of records.</summary>
internal sealed class RecordListForm<T>(RecordForm record) : Form, IRecordList
    where T : class
{
    public override string Says => $"a list, each item {record.Says}";

    /// <inheritdoc/>
    public RecordForm Record => record;

    public override object? Read(Node node, string path, Judgement judgement)
    {
        if (node is not ListNode list)
            return judgement.RefuseType(path, node, Says, node is MapNode ? "Begin each item with '- '." : null);
        var items = new List<T>();
        foreach (var (index, item) in list.Items.Index())
        {
            var at = $"{path}[{index}]";
            judgement.Note(at, item.Line);
            if (record.Read(item, at, judgement) is T read)
                items.Add(read);
        }
        return items;
    }

    public override JsonNode Write(object value) =>
        new JsonArray([.. ((IReadOnlyList<T>)value).Select(item => (JsonNode)record.Write(item))]);

    public override JsonObject Schema(JsonObject definitions) => new() { ["type"] = "array", ["items"] = record.Schema(definitions) };
}
