using System.Globalization;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>
/// Reads a regular expression as Go's <c>regexp/syntax</c> does with the flags that Prometheus sets (Perl's syntax, <c>.</c>
/// takes a line end), and refuses what that refuses, in its words. For one expression; not thread-safe.
/// </summary>
internal sealed class RegexpReader(string source)
{
    private const int MostRepeats = 1000;
    private const int MostNested = 500;
    private const int MostSize = 20_000;

    private readonly List<string> _names = [""];
    private int _at;
    private int _nested;
    private Flags _flags = Flags.DotTakesLineEnd;

    [Flags]
    private enum Flags
    {
        None = 0,
        IgnoreCase = 1,
        DotTakesLineEnd = 2,
        Lazy = 4,
        ManyLines = 8,
    }

    /// <summary>The names of the groups by number; the first is the whole, groups without a name have an empty one.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>The expression. Throws <see cref="FormatException"/> when it is none.</summary>
    public RegexpNode Read()
    {
        var node = Choice();
        if (_at < source.Length)
            throw Wrong("unexpected )", source);
        if (RegexpSize.Of(node) > MostSize)
            throw Wrong("expression too large", source);
        return node;
    }

    private RegexpNode Choice()
    {
        var options = new List<RegexpNode> { Sequence() };
        while (TryTake('|'))
            options.Add(Sequence());
        return options.Count == 1 ? options[0] : new RegexpNode.Choice(options);
    }

    private RegexpNode Sequence()
    {
        var parts = new List<RegexpNode>();
        var lastRepeat = -1;
        while (_at < source.Length && source[_at] is not ('|' or ')'))
        {
            var start = _at;
            if (TryRepeat(out var least, out var most))
            {
                var lazy = TryTake('?') != _flags.HasFlag(Flags.Lazy);
                if (lastRepeat >= 0)
                    throw Wrong("invalid nested repetition operator", source[lastRepeat.._at]);
                if (parts.Count == 0)
                    throw Wrong("missing argument to repetition operator", source[start.._at]);
                var repeat = new RegexpNode.Repeat(parts[^1], least, most, lazy);
                if (least > 1 || most > 1)
                    if (RegexpSize.Repeats(repeat) > MostRepeats)
                        throw Wrong("invalid repeat count", source[start.._at]);
                parts[^1] = repeat;
                lastRepeat = start;
                continue;
            }
            lastRepeat = -1;
            Atom(parts);
        }
        return parts.Count switch { 0 => new RegexpNode.Empty(), 1 => parts[0], _ => new RegexpNode.Sequence(parts) };
    }

    private void Atom(List<RegexpNode> parts)
    {
        switch (source[_at])
        {
            case '(':
                if (Group() is { } group)
                    parts.Add(group);
                break;
            case '[':
                parts.Add(new RegexpNode.Class(Class()));
                break;
            case '.':
                _at++;
                parts.Add(new RegexpNode.Any(_flags.HasFlag(Flags.DotTakesLineEnd)));
                break;
            case '^':
                _at++;
                parts.Add(new RegexpNode.Place(_flags.HasFlag(Flags.ManyLines) ? "(?m:^)" : "\\A"));
                break;
            case '$':
                _at++;
                parts.Add(new RegexpNode.Place(_flags.HasFlag(Flags.ManyLines) ? "(?m:$)" : "\\z"));
                break;
            case '\\':
                Escaped(parts);
                break;
            default:
                parts.Add(Literal(TakeRune()));
                break;
        }
    }

    /// <summary>A group, or null when it only set flags for what follows.</summary>
    private RegexpNode? Group()
    {
        if (++_nested > MostNested)
            throw Wrong("expression nests too deeply", source);
        var before = _flags;
        var remembered = true;
        _at++;
        if (_at < source.Length && source[_at] == '?')
        {
            remembered = source.AsSpan(_at).StartsWith("?P<") || source.AsSpan(_at).StartsWith("?<");
            if (remembered)
                Name();
            else if (!TryFlags())
            {
                _nested--;
                return null;
            }
        }
        else
            _names.Add("");
        var inner = Choice();
        if (!TryTake(')'))
            throw Wrong("missing closing )", source);
        _flags = before;
        _nested--;
        return remembered ? new RegexpNode.Capture(inner) : inner is RegexpNode.Sequence or RegexpNode.Choice ? inner : new RegexpNode.Sequence([inner]);
    }

    private void Name()
    {
        var start = _at - 1;
        _at = source.IndexOf('<', _at) + 1;
        var end = source.IndexOf('>', _at);
        if (end < 0)
            throw Wrong("invalid named capture", source[start..]);
        var name = source[_at..end];
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
            throw Wrong("invalid named capture", source[start..(end + 1)]);
        _names.Add(name);
        _at = end + 1;
    }

    /// <summary>Takes <c>?i-s:</c> or <c>?i)</c>; false for the latter, which is no group.</summary>
    private bool TryFlags()
    {
        var start = _at++ - 1;
        var (set, on, saw) = (_flags, true, false);
        while (_at < source.Length)
        {
            var c = TakeRune();
            var flag = c switch { 'i' => Flags.IgnoreCase, 'm' => Flags.ManyLines, 's' => Flags.DotTakesLineEnd, 'U' => Flags.Lazy, _ => Flags.None };
            if (flag != Flags.None)
            {
                set = on ? set | flag : set & ~flag;
                saw = true;
            }
            else if (c == '-' && on)
                (on, saw) = (false, false);
            else if (c is ':' or ')' && (on || saw))
            {
                _flags = set;
                return c == ':';
            }
            else
                throw Wrong("invalid or unsupported Perl syntax", source[start.._at]);
        }
        throw Wrong("missing closing )", source);
    }

    /// <summary>Takes <c>*</c>, <c>+</c>, <c>?</c> or <c>{2,5}</c>; braces of another form are plain characters.</summary>
    private bool TryRepeat(out int least, out int most)
    {
        (least, most) = source[_at] switch { '*' => (0, -1), '+' => (1, -1), '?' => (0, 1), _ => (-1, 0) };
        if (least >= 0)
        {
            _at++;
            return true;
        }
        var start = _at;
        if (source[_at] != '{' || !TryCounts(ref least, ref most))
        {
            _at = start;
            return false;
        }
        if (least > MostRepeats || most > MostRepeats || (most >= 0 && least > most))
            throw Wrong("invalid repeat count", source[start.._at]);
        return true;
    }

    private bool TryCounts(ref int least, ref int most)
    {
        _at++;
        if (!TryCount(out least))
            return false;
        most = least;
        if (TryTake(','))
            if (_at < source.Length && source[_at] == '}')
                most = -1;
            else if (!TryCount(out most))
                return false;
        return TryTake('}');
    }

    private bool TryCount(out int count)
    {
        var start = _at;
        count = 0;
        while (_at < source.Length && char.IsAsciiDigit(source[_at]))
            count = Math.Min((count * 10) + source[_at++] - '0', 100_000_000);
        // As in Go, a number that begins with 0 is no number here.
        return _at > start && (_at == start + 1 || source[start] != '0');
    }

    private void Escaped(List<RegexpNode> parts)
    {
        if (_at + 1 == source.Length)
            throw Wrong("trailing backslash at end of expression", "");
        var kind = source[_at + 1];
        var place = kind switch { 'A' => "\\A", 'z' => "\\z", 'b' => "\\b", 'B' => "\\B", _ => null };
        if (place is not null)
        {
            _at += 2;
            parts.Add(new RegexpNode.Place(place));
        }
        else if (kind == 'Q')
        {
            var end = source.IndexOf("\\E", _at + 2, StringComparison.Ordinal);
            var stop = end < 0 ? source.Length : end;
            for (_at += 2; _at < stop;)
                parts.Add(Literal(TakeRune()));
            _at = end < 0 ? stop : end + 2;
        }
        else if (RegexpClasses.TryTakePerl(source, ref _at) is { } perl)
            parts.Add(new RegexpNode.Class(perl));
        else if (RegexpClasses.TryTakeUnicode(source, ref _at, _flags.HasFlag(Flags.IgnoreCase)) is { } unicode)
            parts.Add(new RegexpNode.Class(unicode));
        else
            parts.Add(Literal(Escape()));
    }

    private int Escape()
    {
        var start = _at++;
        var c = TakeRune();
        switch (c)
        {
            case >= '1' and <= '7' when _at == source.Length || source[_at] is < '0' or > '7':
                break;
            case >= '0' and <= '7':
                var octal = c - '0';
                for (var i = 1; i < 3 && _at < source.Length && source[_at] is >= '0' and <= '7'; i++)
                    octal = (octal * 8) + source[_at++] - '0';
                return octal;
            case 'x':
                if (TryHex(out var rune))
                    return rune;
                break;
            default:
                var simple = c switch { 'a' => 7, 'f' => 12, 'n' => 10, 'r' => 13, 't' => 9, 'v' => 11, _ => -1 };
                if (simple >= 0)
                    return simple;
                if (c < 0x80 && !char.IsAsciiLetterOrDigit((char)c))
                    return c;
                break;
        }
        throw Wrong("invalid escape sequence", source[start.._at]);
    }

    private bool TryHex(out int rune)
    {
        rune = 0;
        if (_at == source.Length)
            return false;
        var braces = TryTake('{');
        for (var digits = 0; _at < source.Length; digits++)
        {
            var c = TakeRune();
            if (braces && c == '}')
                return digits > 0;
            if (c >= 0x80 || !char.IsAsciiHexDigit((char)c))
                return false;
            rune = (rune * 16) + int.Parse(((char)c).ToString(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (rune > RuneSet.Last)
                return false;
            if (!braces && digits == 1)
                return true;
        }
        return false;
    }

    private RuneSet Class()
    {
        var (start, set, fold) = (_at++, new RuneSet(), _flags.HasFlag(Flags.IgnoreCase));
        var negated = TryTake('^');
        for (var first = true; ; first = false)
        {
            if (_at == source.Length)
                throw Wrong("missing closing ]", source[start..]);
            if (source[_at] == ']' && !first)
                break;
            if (RegexpClasses.TryTakePosix(source, ref _at) is { } named)
                set.Add(named);
            else if (RegexpClasses.TryTakeUnicode(source, ref _at, fold) is { } unicode)
                set.Add(unicode);
            else if (RegexpClasses.TryTakePerl(source, ref _at) is { } perl)
                set.Add(perl);
            else
                AddRange(set, start);
        }
        _at++;
        if (fold)
            set = set.WithOtherCases();
        return negated ? set.Negated() : set;
    }

    private void AddRange(RuneSet set, int classStart)
    {
        var start = _at;
        var first = ClassRune(classStart);
        var last = first;
        if (_at + 1 < source.Length && source[_at] == '-' && source[_at + 1] != ']')
        {
            _at++;
            last = ClassRune(classStart);
            if (last < first)
                throw Wrong("invalid character class range", source[start.._at]);
        }
        set.Add(first, last);
    }

    private int ClassRune(int classStart)
    {
        if (_at == source.Length || (source[_at] == '\\' && _at + 1 == source.Length))
            throw Wrong("missing closing ]", source[classStart..]);
        return source[_at] == '\\' ? Escape() : TakeRune();
    }

    private RegexpNode Literal(int rune) => _flags.HasFlag(Flags.IgnoreCase) && RuneSet.HasOtherCases(rune)
        ? new RegexpNode.Class(new RuneSet().Add(rune, rune).WithOtherCases())
        : new RegexpNode.Literal(rune);

    private int TakeRune()
    {
        if (!Rune.TryGetRuneAt(source, _at, out var rune))
            rune = Rune.ReplacementChar;
        _at += rune.Utf16SequenceLength;
        return rune.Value;
    }

    private bool TryTake(char c)
    {
        if (_at == source.Length || source[_at] != c)
            return false;
        _at++;
        return true;
    }

    internal static FormatException Wrong(string what, string where) => new($"error parsing regexp: {what}: `{where}`");
}

/// <summary>How large an expression becomes when its repetitions are written out.</summary>
internal static class RegexpSize
{
    /// <summary>About how many states a machine for it has.</summary>
    public static long Of(RegexpNode node) => node switch
    {
        RegexpNode.Capture c => Of(c.Inner),
        RegexpNode.Repeat r => Math.Min(int.MaxValue, Of(r.Inner) * Math.Max(1, Math.Max(r.Least, r.Most)) + 1),
        RegexpNode.Sequence s => s.Parts.Sum(Of),
        RegexpNode.Choice c => c.Options.Sum(Of) + 1,
        _ => 1,
    };

    /// <summary>How often the innermost is repeated by counts inside each other.</summary>
    public static long Repeats(RegexpNode node) => node switch
    {
        RegexpNode.Capture c => Repeats(c.Inner),
        RegexpNode.Repeat r => Math.Min(int.MaxValue, Repeats(r.Inner) * Math.Max(1, Math.Max(r.Least, r.Most))),
        RegexpNode.Sequence s => s.Parts.Max(Repeats),
        RegexpNode.Choice c => c.Options.Max(Repeats),
        _ => 1,
    };
}
