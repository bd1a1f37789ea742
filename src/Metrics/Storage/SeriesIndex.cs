using System.Runtime.InteropServices;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>
/// An inverted index as a selection sees it: names, for each name its values, for each value the ascending numbers of the
/// series that have it. The head has one, and so has each block.
/// </summary>
internal abstract class SeriesIndex
{
    public abstract int NameCount { get; }

    public abstract int FindName(ReadOnlySpan<byte> name);

    public abstract ReadOnlySpan<byte> NameAt(int name);

    public abstract int ValueCount(int name);

    public abstract ReadOnlySpan<byte> ValueAt(int name, int value);

    public abstract int FindValue(int name, ReadOnlySpan<byte> value);

    /// <summary>The values among which all are that begin like this.</summary>
    public abstract (int First, int Beyond) ValuesFrom(int name, ReadOnlySpan<byte> prefix);

    public abstract int PostingCount(int name, int value);

    public abstract void AddPostings(int name, int value, List<int> into);

    public abstract void AddAll(List<int> into);

    public abstract Labels LabelsOf(int series);

    /// <summary>The numbers of the series that fulfil all conditions, ascending.</summary>
    public List<int> Select(IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation)
    {
        List<int>? found = null;
        foreach (var matcher in matchers.OrderBy(Rank))
        {
            cancellation.ThrowIfCancellationRequested();
            var name = FindName(Encoding.UTF8.GetBytes(matcher.Name));
            if (name < 0)
            {
                if (!matcher.MatchesAbsent)
                    return [];
                continue;
            }
            if (found is not null && matcher.Kind != MatchKind.Equal && found.Count < ValueCount(name))
                found.RemoveAll(series => !matcher.Matches(LabelsOf(series)));
            else if (matcher.MatchesAbsent)
                found = NumberSets.Except(found ?? All(), Having(name, matcher, matches: false, cancellation));
            else
            {
                var having = Having(name, matcher, matches: true, cancellation);
                found = found is null ? having : NumberSets.Intersect(found, having);
            }
            if (found.Count == 0)
                return found;
        }
        return found ?? All();
    }

    private List<int> All()
    {
        var all = new List<int>();
        AddAll(all);
        return all;
    }

    /// <summary>What narrows most and costs least comes first.</summary>
    private static int Rank(LabelMatcher matcher) => matcher.MatchesAbsent
        ? 3
        : matcher.Kind == MatchKind.Equal ? 0 : matcher.Alternatives is not null ? 1 : 2;

    /// <summary>The series that have the label with a value that matches, or with one that does not.</summary>
    private List<int> Having(int name, LabelMatcher matcher, bool matches, CancellationToken cancellation)
    {
        var found = new List<int>();
        var lists = 0;
        if (Listed(matcher, matches) is { } values)
        {
            foreach (var value in values)
                if (FindValue(name, Encoding.UTF8.GetBytes(value)) is >= 0 and var at)
                {
                    AddPostings(name, at, found);
                    lists++;
                }
        }
        else
        {
            var (first, beyond) = matches && matcher.Kind == MatchKind.Regexp ? ValuesFrom(name, Encoding.UTF8.GetBytes(matcher.Prefix)) : (0, ValueCount(name));
            for (var at = first; at < beyond; at++)
            {
                if ((at & 1023) == 0)
                    cancellation.ThrowIfCancellationRequested();
                if (matcher.Matches(ValueAt(name, at)) != matches)
                    continue;
                AddPostings(name, at, found);
                lists++;
            }
        }
        // A series has one value of a name, so lists of several values never share a number.
        if (lists > 1)
            found.Sort();
        return found;
    }

    /// <summary>The only values that can be meant, when they can be named.</summary>
    private static IEnumerable<string>? Listed(LabelMatcher matcher, bool matches) => (matcher.Kind, matches) switch
    {
        (MatchKind.Equal, true) or (MatchKind.NotEqual, false) => [matcher.Value],
        (MatchKind.Regexp, true) or (MatchKind.NotRegexp, false) => matcher.Alternatives?.Distinct(),
        _ => null,
    };
}

/// <summary>Sets as ascending lists.</summary>
internal static class NumberSets
{
    public static List<int> Intersect(List<int> a, List<int> b)
    {
        var both = new List<int>(Math.Min(a.Count, b.Count));
        var few = CollectionsMarshal.AsSpan(a.Count <= b.Count ? a : b);
        var many = CollectionsMarshal.AsSpan(a.Count <= b.Count ? b : a);
        var isFew = few.Length < many.Length / 16;
        foreach (var number in few)
        {
            if (isFew)
            {
                var found = many.BinarySearch(number);
                many = many[(found < 0 ? ~found : found)..];
            }
            else
            {
                var at = 0;
                while (at < many.Length && many[at] < number)
                    at++;
                many = many[at..];
            }
            if (many.IsEmpty)
                break;
            if (many[0] == number)
                both.Add(number);
        }
        return both;
    }

    public static List<int> Except(List<int> from, List<int> without)
    {
        var rest = new List<int>(from.Count);
        var at = 0;
        foreach (var number in from)
        {
            while (at < without.Count && without[at] < number)
                at++;
            if (at == without.Count || without[at] != number)
                rest.Add(number);
        }
        return rest;
    }
}
