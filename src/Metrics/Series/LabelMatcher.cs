using System.Text;

namespace Groundcrew.Metrics;

/// <summary>How a matcher compares.</summary>
public enum MatchKind
{
    /// <summary><c>=</c></summary>
    Equal,

    /// <summary><c>!=</c></summary>
    NotEqual,

    /// <summary><c>=~</c>, anchored at both ends.</summary>
    Regexp,

    /// <summary><c>!~</c>, anchored at both ends.</summary>
    NotRegexp,
}

/// <summary>
/// A condition on one label; an absent label has the empty value. Regular expressions are those of RE2, anchored at
/// both ends, and take time linear in the value. Immutable and thread-safe.
/// </summary>
public sealed class LabelMatcher
{
    private readonly byte[] _valueUtf8;
    private readonly RegexpPattern? _pattern;

    /// <summary>Throws <see cref="FormatException"/> with RE2's words when the value is no regular expression but should be one.</summary>
    public LabelMatcher(MatchKind kind, string name, string value)
    {
        (Kind, Name, Value, _valueUtf8) = (kind, name, value, Encoding.UTF8.GetBytes(value));
        if (kind is MatchKind.Regexp or MatchKind.NotRegexp)
            _pattern = RegexpPattern.Anchored(value);
    }

    /// <summary>How it compares.</summary>
    public MatchKind Kind { get; }

    /// <summary>The label's name.</summary>
    public string Name { get; }

    /// <summary>The value or the regular expression.</summary>
    public string Value { get; }

    /// <summary>
    /// The only values that a <see cref="MatchKind.Regexp"/> (or that a <see cref="MatchKind.NotRegexp"/> refuses) can have,
    /// such as those of <c>a|b|c</c>; null when they cannot be listed.
    /// </summary>
    public IReadOnlyList<string>? Alternatives => _pattern?.Alternatives;

    /// <summary>A literal that every matching value of the regular expression begins with; empty when there is none.</summary>
    public string Prefix => _pattern?.Prefix ?? "";

    /// <summary>Whether a series without this label can match.</summary>
    public bool MatchesAbsent => Matches(ReadOnlySpan<byte>.Empty);

    /// <summary>Whether a value in UTF-8 fulfils the condition.</summary>
    public bool Matches(ReadOnlySpan<byte> value) => Kind switch
    {
        MatchKind.Equal => value.SequenceEqual(_valueUtf8),
        MatchKind.NotEqual => !value.SequenceEqual(_valueUtf8),
        MatchKind.Regexp => _pattern!.IsMatch(value),
        _ => !_pattern!.IsMatch(value),
    };

    /// <summary>Whether the labels of a series fulfil the condition.</summary>
    public bool Matches(Labels labels)
    {
        labels.TryGet(Encoding.UTF8.GetBytes(Name), out var value);
        return Matches(value);
    }

    /// <summary>As it stands in a query: <c>job=~"a|b"</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        if (LabelText.IsPlainLabelName(Name))
            text.Append(Name);
        else
            LabelText.AppendQuoted(text, Name);
        text.Append(Kind switch { MatchKind.Equal => "=", MatchKind.NotEqual => "!=", MatchKind.Regexp => "=~", _ => "!~" });
        LabelText.AppendQuoted(text, Value);
        return text.ToString();
    }
}
