namespace Groundcrew.Metrics;

/// <summary>The named sets of characters: <c>\d</c>, <c>[:alpha:]</c>, <c>\p{Greek}</c>.</summary>
internal static class RegexpClasses
{
    /// <summary>Takes <c>\d \s \w</c> or their opposites, which mean ASCII; null when there is none.</summary>
    public static RuneSet? TryTakePerl(string source, ref int at)
    {
        if (at + 1 >= source.Length || source[at] != '\\' || Perl(source[at + 1]) is not { } set)
            return null;
        return char.IsAsciiLetterUpper(source[(at += 2) - 1]) ? set.Negated() : set;
    }

    /// <summary>Takes <c>[:alpha:]</c> or <c>[:^alpha:]</c>; null when there is none.</summary>
    public static RuneSet? TryTakePosix(string source, ref int at)
    {
        if (!source.AsSpan(at).StartsWith("[:"))
            return null;
        var end = source.IndexOf(":]", at + 2, StringComparison.Ordinal);
        if (end < 0)
            return null;
        var name = source[(at + 2)..end];
        var negated = name.StartsWith('^');
        var set = Posix(negated ? name[1..] : name) ?? throw RegexpReader.Wrong("invalid character class range", source[at..(end + 2)]);
        at = end + 2;
        return negated ? set.Negated() : set;
    }

    /// <summary>Takes <c>\pN</c>, <c>\PN</c>, <c>\p{Greek}</c> or <c>\p{^Greek}</c>; null when there is none.</summary>
    public static RuneSet? TryTakeUnicode(string source, ref int at, bool ignoreCase)
    {
        if (at + 1 >= source.Length || source[at] != '\\' || source[at + 1] is not ('p' or 'P'))
            return null;
        var start = at;
        var end = at + 2 < source.Length && source[at + 2] == '{' ? source.IndexOf('}', at) : Math.Min(at + 2, source.Length - 1);
        var whole = end < 0 ? source[start..] : source[start..(end + 1)];
        var name = whole.Length < 3 ? "" : whole[2] == '{' ? whole[3..].TrimEnd('}') : whole[2..];
        var negated = name.StartsWith('^');
        var set = end < 0 ? null : RuneSet.OfCategory(negated ? name[1..] : name) ?? UnicodeScripts.Find(negated ? name[1..] : name);
        if (set is null || name.Length == 0)
            throw RegexpReader.Wrong("invalid character class range", whole);
        at = end + 1;
        if (ignoreCase)
            set = set.WithOtherCases();
        return negated != (source[start + 1] == 'P') ? set.Negated() : set;
    }

    private static RuneSet? Perl(char kind) => kind switch
    {
        'd' or 'D' => new RuneSet().Add('0', '9'),
        's' or 'S' => new RuneSet().Add('\t', '\n').Add('\f', '\r').Add(' ', ' '),
        'w' or 'W' => Word(),
        _ => null,
    };

    private static RuneSet? Posix(string name) => name switch
    {
        "alnum" => new RuneSet().Add('0', '9').Add('A', 'Z').Add('a', 'z'),
        "alpha" => new RuneSet().Add('A', 'Z').Add('a', 'z'),
        "ascii" => new RuneSet().Add(0, 0x7F),
        "blank" => new RuneSet().Add('\t', '\t').Add(' ', ' '),
        "cntrl" => new RuneSet().Add(0, 0x1F).Add(0x7F, 0x7F),
        "digit" => new RuneSet().Add('0', '9'),
        "graph" => new RuneSet().Add('!', '~'),
        "lower" => new RuneSet().Add('a', 'z'),
        "print" => new RuneSet().Add(' ', '~'),
        "punct" => new RuneSet().Add('!', '/').Add(':', '@').Add('[', '`').Add('{', '~'),
        "space" => new RuneSet().Add('\t', '\r').Add(' ', ' '),
        "upper" => new RuneSet().Add('A', 'Z'),
        "word" => Word(),
        "xdigit" => new RuneSet().Add('0', '9').Add('A', 'F').Add('a', 'f'),
        _ => null,
    };

    private static RuneSet Word() => new RuneSet().Add('0', '9').Add('A', 'Z').Add('a', 'z').Add('_', '_');
}
