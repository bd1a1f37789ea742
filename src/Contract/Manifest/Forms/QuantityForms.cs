using System.Globalization;
using System.Text.Json.Nodes;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>A quantity with a unit and a range.</summary>
internal abstract class QuantityForm<T> : ScalarForm
    where T : struct, IComparable<T>
{
    private readonly string _range;
    private readonly T _min;
    private readonly T _max;

    protected QuantityForm(KeyAttribute key)
    {
        _range = $"{key.Min} to {key.Max}";
        _min = End(key.Min);
        _max = End(key.Max);
    }

    public sealed override string Says => $"{What} from {_range}";

    /// <summary>The least and the most, for a schema.</summary>
    protected (T Min, T Max) Range => (_min, _max);

    protected abstract string What { get; }

    protected abstract ProblemKind Unreadable { get; }

    /// <summary>The quantity; null for a text that is none.</summary>
    protected abstract T? Parse(string text);

    /// <summary>A closer fix for a text that is none.</summary>
    protected abstract string? FixFor(string text);

    protected sealed override object? ReadText(string text, string path, Judgement judgement)
    {
        if (Parse(text) is not { } quantity)
            return judgement.Refuse(Unreadable, path, $"'{Words.Show(text)}' is not {What}.", FixFor(text));
        if (quantity.CompareTo(_min) < 0 || quantity.CompareTo(_max) > 0)
            return judgement.Refuse(ProblemKinds.OutOfRange, path, $"'{Words.Show(text)}' is outside {_range}.", $"Choose {What} from {_range}.");
        return quantity;
    }

    private T End(string? text) => Parse(text ?? "") ?? throw new InvalidOperationException($"'{text}' is no end of a range of {What}.");
}

/// <summary>A duration such as <c>15s</c>.</summary>
internal sealed class DurationForm(KeyAttribute key) : QuantityForm<TimeSpan>(key)
{
    protected override string What => "a duration";

    protected override ProblemKind Unreadable => ProblemKinds.BadDuration;

    public override JsonNode Write(object value) => JsonValue.Create(Quantity.Format((TimeSpan)value));

    public override JsonObject Schema(JsonObject definitions) =>
        new() { ["type"] = "string", ["pattern"] = "^([0-9]*\\.?[0-9]+(ms|s|m|h|d))+$" };

    // Finer than a millisecond is kept by nothing that waits.
    protected override TimeSpan? Parse(string text) =>
        Quantity.ParseDuration(text) is { } duration && duration.Ticks % TimeSpan.TicksPerMillisecond == 0 ? duration : null;

    protected override string? FixFor(string text) =>
        text.Length is > 0 and < 10 && text.All(char.IsAsciiDigit) ? $"Write the unit: {text}s for seconds, {text}ms for milliseconds." : null;
}

/// <summary>A whole number.</summary>
internal sealed class CountForm(KeyAttribute key) : QuantityForm<int>(key)
{
    protected override string What => "a whole number";

    protected override ProblemKind Unreadable => ProblemKinds.BadCount;

    public override JsonNode Write(object value) => JsonValue.Create((int)value);

    public override JsonObject Schema(JsonObject definitions) =>
        new() { ["type"] = "integer", ["minimum"] = Range.Min, ["maximum"] = Range.Max };

    // A number beyond all ranges is a number all the same.
    protected override int? Parse(string text) =>
        text.TrimStart('-').Length is 0 || !text.TrimStart('-').All(char.IsAsciiDigit) || text.LastIndexOf('-') > 0 ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var count) ? count
        : text[0] == '-' ? int.MinValue : int.MaxValue;

    protected override string? FixFor(string text) => null;
}

/// <summary>A share of processors, in thousandths.</summary>
internal sealed class CpuForm(KeyAttribute key) : QuantityForm<int>(key)
{
    protected override string What => "a share of processors";

    protected override ProblemKind Unreadable => ProblemKinds.BadCpu;

    public override JsonNode Write(object value) =>
        (int)value is var millicores && millicores % 1000 == 0 ? JsonValue.Create($"{millicores / 1000}") : JsonValue.Create($"{millicores}m");

    public override JsonObject Schema(JsonObject definitions) =>
        new() { ["type"] = new JsonArray("string", "number"), ["pattern"] = "^[0-9]*\\.?[0-9]+m?$", ["exclusiveMinimum"] = 0 };

    protected override int? Parse(string text) => Quantity.ParseMillicores(text);

    protected override string? FixFor(string text) => null;
}

/// <summary>A size of memory, in bytes.</summary>
internal sealed class MemoryForm(KeyAttribute key) : QuantityForm<long>(key)
{
    private static readonly (long Bytes, string Unit)[] Units =
    [
        (1L << 40, "Ti"), (1_000_000_000_000, "T"), (1L << 30, "Gi"), (1_000_000_000, "G"),
        (1L << 20, "Mi"), (1_000_000, "M"), (1L << 10, "Ki"), (1_000, "k"), (1, "B"),
    ];

    protected override string What => "a size of memory";

    protected override ProblemKind Unreadable => ProblemKinds.BadMemory;

    public override JsonNode Write(object value) => Written((long)value);

    /// <summary>A size in the largest unit that it is a whole number of.</summary>
    public static JsonNode Written(long size)
    {
        var (bytes, unit) = Units.First(unit => size % unit.Bytes == 0);
        return JsonValue.Create($"{size / bytes}{unit}");
    }

    public override JsonObject Schema(JsonObject definitions) =>
        new() { ["type"] = new JsonArray("string", "number"), ["pattern"] = "^[0-9]*\\.?[0-9]+ ?([KMGT]iB?|[KMG]B|[kKMGTB])?$", ["exclusiveMinimum"] = 0 };

    protected override long? Parse(string text) => Quantity.ParseBytes(text, ResourcesManifest.BareMemoryUnit);

    protected override string? FixFor(string text) =>
        text.EndsWith('m') && text[..^1].All(char.IsAsciiDigit) ? $"'m' means thousandths; write {Words.Show(text[..^1])}Mi or {Words.Show(text[..^1])}M." : null;
}
