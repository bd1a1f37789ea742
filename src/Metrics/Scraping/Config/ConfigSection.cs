using System.Globalization;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// One map of a configuration while it is judged: each key is asked for once with what it should be, wrong values become
/// problems, and <see cref="Close"/> refuses the keys that nobody asked for. Not thread-safe.
/// </summary>
internal sealed class ConfigSection
{
    private readonly ProblemList _problems;
    private readonly Dictionary<string, YamlEntry> _left = new(StringComparer.Ordinal);
    private readonly List<string> _asked = [];

    public ConfigSection(YamlNode? node, string path, ProblemList problems)
    {
        (Path, _problems, Line) = (path, problems, node?.Line ?? 1);
        IsPresent = node is not null and not YamlText { IsNothing: true };
        if (node is YamlMap map)
            foreach (var entry in map.Entries)
                _left.Add(entry.Key, entry);
        else if (IsPresent)
            Refuse("wrong-type", "", $"This is {node!.Says}; wanted is a map.", "Write keys with values.");
    }

    public string Path { get; }

    public int Line { get; }

    /// <summary>Whether it stands in the file at all.</summary>
    public bool IsPresent { get; }

    /// <summary>Whether a key is there that was not asked for yet.</summary>
    public bool Has(string key) => _left.ContainsKey(key);

    public int LineOf(string key) => _left.TryGetValue(key, out var entry) ? entry.Line : Line;

    public void Refuse(string code, string key, string message, string fix, int? line = null) =>
        _problems.Add(code, At(key), message, fix, line ?? LineOf(key));

    /// <summary>A single value; null when it is absent.</summary>
    public string? Text(string key) => TextAt(key, out _);

    /// <summary>A value that must be there and not be empty.</summary>
    public string Required(string key)
    {
        var line = LineOf(key);
        var text = Text(key);
        if (string.IsNullOrEmpty(text))
            Refuse("missing-key", key, $"'{key}' is missing or empty.", $"Set {key}.", line);
        return text ?? "";
    }

    public Secret? Secret(string key) => Text(key) is { } text ? new Secret(text) : null;

    public TimeSpan? Duration(string key, bool positive = false)
    {
        if (TextAt(key, out var line) is not { } text)
            return null;
        if (!PrometheusDuration.TryParse(text, out var duration))
            Refuse("bad-duration", key, $"'{Show(text)}' is not a valid duration string.", "Write it like 15s, 1m30s, 2h or 7d, with the largest unit first.", line);
        else if (positive && duration == TimeSpan.Zero)
            Refuse("bad-duration", key, "The duration is 0.", "Write a duration above 0.", line);
        return duration;
    }

    public bool? Flag(string key)
    {
        if (TextAt(key, out var line) is not { } text)
            return null;
        // The words of YAML 1.1, which Prometheus' parser takes.
        if (text is "true" or "True" or "TRUE" or "yes" or "Yes" or "YES" or "on" or "On" or "ON")
            return true;
        if (text is not ("false" or "False" or "FALSE" or "no" or "No" or "NO" or "off" or "Off" or "OFF"))
            Refuse("bad-flag", key, $"'{Show(text)}' is neither true nor false.", "Write true or false.", line);
        return false;
    }

    public long? Count(string key)
    {
        if (TextAt(key, out var line) is not { } text)
            return null;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            Refuse("bad-number", key, $"'{Show(text)}' is no whole number from 0.", "Write digits only.", line);
        return count;
    }

    public double? Number(string key)
    {
        if (TextAt(key, out var line) is not { } text)
            return null;
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            Refuse("bad-number", key, $"'{Show(text)}' is no number.", "Write a number.", line);
        return number;
    }

    /// <summary>A size such as <c>10MB</c>, in bytes; all units are powers of 1024, as Prometheus reads them.</summary>
    public long? Size(string key)
    {
        if (TextAt(key, out var line) is not { } text)
            return null;
        var digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9') is >= 0 and var end ? end : text.Length;
        var shift = text[digits..] switch { "" when text == "0" => 0, "B" => 0, "KB" or "KiB" => 10, "MB" or "MiB" => 20, "GB" or "GiB" => 30, "TB" or "TiB" => 40, _ => -1 };
        if (shift >= 0 && long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= long.MaxValue >> shift)
            return number << shift;
        Refuse("bad-size", key, $"'{Show(text)}' is no size.", "Write it with its unit, like 512KB, 10MB or 1GB.", line);
        return null;
    }

    /// <summary>One of some words; null when it is absent.</summary>
    public string? Choice(string key, params ReadOnlySpan<string> words)
    {
        if (TextAt(key, out var line) is not { } text)
            return null;
        foreach (var word in words)
            if (word == text)
                return text;
        Refuse("unknown-choice", key, $"'{Show(text)}' is none of its values.", $"Write one of {string.Join(", ", words!)}.", line);
        return null;
    }

    public IReadOnlyList<string>? Texts(string key)
    {
        if (Take(key) is not { } entry)
            return null;
        if (entry.Value is YamlText { IsNothing: true })
            return [];
        var texts = new List<string>();
        if (entry.Value is YamlList list)
            foreach (var item in list.Items)
                if (item is YamlText text)
                    texts.Add(text.Text);
                else
                    Refuse("wrong-type", key, $"An item is {item.Says}; wanted is a single value.", "Write one value for each item.", item.Line);
        else
            Refuse("wrong-type", key, $"This is {entry.Value.Says}; wanted is a list.", "Write a list, such as [a, b].", entry.Line);
        return texts;
    }

    public IReadOnlyDictionary<string, string>? TextMap(string key)
    {
        if (Take(key) is not { } entry)
            return null;
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        var section = new ConfigSection(entry.Value, At(key), _problems);
        foreach (var name in section._left.Keys.ToList())
            texts[name] = section.Text(name) ?? "";
        return texts;
    }

    public IReadOnlyDictionary<string, IReadOnlyList<string>>? ListMap(string key)
    {
        if (Take(key) is not { } entry)
            return null;
        var lists = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        var section = new ConfigSection(entry.Value, At(key), _problems);
        foreach (var name in section._left.Keys.ToList())
            lists[name] = section.Texts(name) ?? [];
        return lists;
    }

    /// <summary>A map below this one; an empty section when it is absent.</summary>
    public ConfigSection Section(string key) => new(Take(key)?.Value, At(key), _problems);

    /// <summary>A list of maps below this one.</summary>
    public IReadOnlyList<ConfigSection> Sections(string key)
    {
        if (Take(key) is not { } entry || entry.Value is YamlText { IsNothing: true })
            return [];
        if (entry.Value is YamlList list)
            return [.. list.Items.Select((item, index) => Item(item, $"{At(key)}[{index}]"))];
        Refuse("wrong-type", key, $"This is {entry.Value.Says}; wanted is a list.", "Write a list: each item begins with a dash.", entry.Line);
        return [];
    }

    /// <summary>Refuses keys that Prometheus knows and this program does not, with what to do instead.</summary>
    public void Unsupported(string fix, params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
            if (Take(key) is { } entry)
                Refuse("unsupported-key", key, $"'{key}' is a key of Prometheus that is not supported here.", fix, entry.Line);
    }

    /// <summary>Takes keys as they are: they have no effect here.</summary>
    public void Ignore(params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
            _ = Take(key);
    }

    /// <summary>Refuses what nobody asked for.</summary>
    public void Close()
    {
        foreach (var entry in _left.Values.ToList())
        {
            var near = _asked.FirstOrDefault(known => IsNear(known, entry.Key));
            Refuse("unknown-key", entry.Key, $"'{Show(entry.Key)}' is no key {(Path.Length == 0 ? "of the file" : "here")}.", near is null ? "Remove it." : $"Did you mean {near}?", entry.Line);
        }
    }

    private ConfigSection Item(YamlNode node, string path)
    {
        if (node is YamlText { IsNothing: true })
            _problems.Add("missing-value", path, "The item is empty.", "Fill it in or remove it.", node.Line);
        return new(node, path, _problems);
    }

    private YamlEntry? Take(string key)
    {
        _asked.Add(key);
        return _left.Remove(key, out var entry) ? entry : null;
    }

    private string? TextAt(string key, out int line)
    {
        line = LineOf(key);
        if (Take(key) is not { } entry || entry.Value is YamlText { IsNothing: true })
            return null;
        if (entry.Value is YamlText text)
            return text.Text;
        Refuse("wrong-type", key, $"This is {entry.Value.Says}; wanted is a single value.", "Write one value.", line);
        return null;
    }

    private string At(string key) => key.Length == 0 ? Path : Path.Length == 0 ? Show(key) : $"{Path}.{Show(key)}";

    private static string Show(string text)
    {
        var line = string.Concat(text.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c));
        return line.Length <= 60 ? line : $"{line[..60]}…";
    }

    // The same letters but for one: left out, added, changed, or another spelling of the words' border.
    private static bool IsNear(string known, string written)
    {
        var (a, b) = (known.Replace("_", ""), written.Replace("_", "").Replace("-", "").ToLowerInvariant());
        var start = a.AsSpan().CommonPrefixLength(b);
        var (x, y) = (a[start..], b[start..]);
        return Math.Abs(x.Length - y.Length) <= 1 && (x == y || x.EndsWith(y[Math.Min(1, y.Length)..], StringComparison.Ordinal) || y.EndsWith(x[Math.Min(1, x.Length)..], StringComparison.Ordinal));
    }
}
