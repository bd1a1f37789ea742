using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>A set of Unicode characters as ranges. Not thread-safe while it is changed.</summary>
internal sealed class RuneSet
{
    public const int Last = 0x10FFFF;

    private static readonly Lazy<FrozenDictionary<int, int[]>> Orbits = new(FindOrbits);
    private static readonly Lazy<FrozenDictionary<string, RuneSet>> Categories = new(FindCategories);
    private List<(int First, int Last)> _ranges = [];
    private bool _isJoined;

    /// <summary>The ranges in order, neighbours joined.</summary>
    public IReadOnlyList<(int First, int Last)> Ranges
    {
        get
        {
            Join();
            return _ranges;
        }
    }

    /// <summary>How many characters there are.</summary>
    public int Count => Ranges.Sum(r => r.Last - r.First + 1);

    public RuneSet Add(int first, int last)
    {
        _ranges.Add((first, last));
        _isJoined = false;
        return this;
    }

    public RuneSet Add(RuneSet other)
    {
        _ranges.AddRange(other._ranges);
        _isJoined = false;
        return this;
    }

    /// <summary>Everything that is not in this set.</summary>
    public RuneSet Negated()
    {
        var rest = new RuneSet();
        var next = 0;
        foreach (var (first, last) in Ranges)
        {
            if (first > next)
                rest.Add(next, first - 1);
            next = last + 1;
        }
        if (next <= Last)
            rest.Add(next, Last);
        return rest;
    }

    /// <summary>This set and whatever differs from its characters in case only.</summary>
    public RuneSet WithOtherCases()
    {
        var all = new RuneSet().Add(this);
        foreach (var (rune, orbit) in Orbits.Value)
            if (Contains(rune))
                foreach (var other in orbit)
                    all.Add(other, other);
        return all;
    }

    /// <summary>Whether a character is in the set.</summary>
    public bool Contains(int rune)
    {
        foreach (var (first, last) in Ranges)
            if (rune >= first && rune <= last)
                return true;
        return false;
    }

    /// <summary>Whether a character has other cases.</summary>
    public static bool HasOtherCases(int rune) => Orbits.Value.ContainsKey(rune);

    /// <summary>A copy of the characters of a general category such as <c>L</c> or <c>Lu</c>; null when there is none of that name.</summary>
    public static RuneSet? OfCategory(string name) => Categories.Value.TryGetValue(name, out var set) ? new RuneSet().Add(set) : null;

    private static FrozenDictionary<string, RuneSet> FindCategories()
    {
        var found = new Dictionary<string, RuneSet>(StringComparer.Ordinal) { ["Any"] = new RuneSet().Add(0, Last) };
        var (start, before) = (0, CodeOf(0));
        for (var rune = 1; rune <= Last + 1; rune++)
        {
            var code = rune > Last ? "end" : CodeOf(rune);
            if (code == before)
                continue;
            // What Unicode has not given out is in no category here, as in Go.
            foreach (var name in before.Length == 0 ? (ReadOnlySpan<string>)[] : [before, before[..1]])
            {
                if (!found.TryGetValue(name, out var set))
                    found.Add(name, set = new());
                set.Add(start, rune - 1);
            }
            (start, before) = (rune, code);
        }
        return found.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static string CodeOf(int rune) => (Rune.IsValid(rune) ? Rune.GetUnicodeCategory(new Rune(rune)) : UnicodeCategory.Surrogate) switch
    {
        UnicodeCategory.UppercaseLetter => "Lu",
        UnicodeCategory.LowercaseLetter => "Ll",
        UnicodeCategory.TitlecaseLetter => "Lt",
        UnicodeCategory.ModifierLetter => "Lm",
        UnicodeCategory.OtherLetter => "Lo",
        UnicodeCategory.NonSpacingMark => "Mn",
        UnicodeCategory.SpacingCombiningMark => "Mc",
        UnicodeCategory.EnclosingMark => "Me",
        UnicodeCategory.DecimalDigitNumber => "Nd",
        UnicodeCategory.LetterNumber => "Nl",
        UnicodeCategory.OtherNumber => "No",
        UnicodeCategory.SpaceSeparator => "Zs",
        UnicodeCategory.LineSeparator => "Zl",
        UnicodeCategory.ParagraphSeparator => "Zp",
        UnicodeCategory.Control => "Cc",
        UnicodeCategory.Format => "Cf",
        UnicodeCategory.Surrogate => "Cs",
        UnicodeCategory.PrivateUse => "Co",
        UnicodeCategory.ConnectorPunctuation => "Pc",
        UnicodeCategory.DashPunctuation => "Pd",
        UnicodeCategory.OpenPunctuation => "Ps",
        UnicodeCategory.ClosePunctuation => "Pe",
        UnicodeCategory.InitialQuotePunctuation => "Pi",
        UnicodeCategory.FinalQuotePunctuation => "Pf",
        UnicodeCategory.OtherPunctuation => "Po",
        UnicodeCategory.MathSymbol => "Sm",
        UnicodeCategory.CurrencySymbol => "Sc",
        UnicodeCategory.ModifierSymbol => "Sk",
        UnicodeCategory.OtherSymbol => "So",
        _ => "",
    };

    private void Join()
    {
        if (_isJoined || _ranges.Count == 0)
            return;
        _ranges.Sort();
        var joined = new List<(int First, int Last)> { _ranges[0] };
        foreach (var (first, last) in _ranges)
        {
            var before = joined[^1];
            if (first <= before.Last + 1)
                joined[^1] = (before.First, Math.Max(before.Last, last));
            else
                joined.Add((first, last));
        }
        (_ranges, _isJoined) = (joined, true);
    }

    /// <summary>For each character that has other cases all of them, itself too.</summary>
    private static FrozenDictionary<int, int[]> FindOrbits()
    {
        var groups = new Dictionary<int, List<int>>();
        for (var rune = 0; rune <= 0x1FFFF; rune++)
        {
            if (rune == 0xD800)
                rune = 0xE000;
            var folded = Rune.ToLowerInvariant(Rune.ToUpperInvariant(new Rune(rune))).Value;
            // The dotted I and the dotless i are no cases of I and i in simple folding.
            if (rune is 0x130 or 0x131)
                continue;
            if (!groups.TryGetValue(folded, out var group))
                groups.Add(folded, group = []);
            group.Add(rune);
        }
        // Signs that are the same letter in simple folding, which upper and lower case alone do not tell.
        groups['k'].Add(0x212A);
        groups['s'].Add(0x17F);
        groups[0xE5].Add(0x212B);
        groups[0x3C9].Add(0x2126);
        groups[0xDF].Add(0x1E9E);
        return groups.Values.Where(g => g.Count > 1).Select(g => g.Distinct().ToArray()).SelectMany(g => g.Select(rune => (rune, g))).ToFrozenDictionary(p => p.rune, p => p.g);
    }
}
