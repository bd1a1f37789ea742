using System.Runtime.CompilerServices;

namespace Groundcrew.PromQL;

/// <summary>
/// Remarks on a result that is nevertheless right as defined: warnings (something is probably wrong with the data) and infos
/// (something is probably wrong with the query). Each text once. Not thread-safe.
/// </summary>
public sealed class Annotations
{
    private readonly List<(string Text, TextSpan? Span)> _warnings = [];
    private readonly List<(string Text, TextSpan? Span)> _infos = [];
    private readonly HashSet<(object About, TextSpan Where)> _noted = new(NotedComparer.Instance);

    private (object About, TextSpan Where) _last = (NotedComparer.Instance, default);

    /// <summary>The warnings, without positions, in the order they came up: <c>PromQL warning: …</c>.</summary>
    public IReadOnlyList<(string Text, TextSpan? Span)> Warnings => _warnings;

    /// <summary>The infos: <c>PromQL info: …</c>.</summary>
    public IReadOnlyList<(string Text, TextSpan? Span)> Infos => _infos;

    /// <summary>Adds <c>PromQL warning: text</c> unless it is there already: the first place is the one that is named.</summary>
    public void Warn(string text, TextSpan? span) => Add(_warnings, "PromQL warning: " + text, span);

    /// <summary>Adds <c>PromQL info: text</c> unless it is there already: the first place is the one that is named.</summary>
    public void Info(string text, TextSpan? span) => Add(_infos, "PromQL info: " + text, span);

    /// <summary>Whether this object was not yet asked about at this place: what is checked once for a series is not said at every step.</summary>
    internal bool FirstTime(object about, TextSpan where)
    {
        // Whoever asks at every step asks about the same object again and again.
        if (ReferenceEquals(_last.About, about) && _last.Where == where)
            return false;
        _last = (about, where);
        return _noted.Add(_last);
    }

    private static void Add(List<(string Text, TextSpan? Span)> to, string text, TextSpan? span)
    {
        foreach (var (there, _) in to)
            if (there == text)
                return;
        to.Add((text, span));
    }

    private sealed class NotedComparer : IEqualityComparer<(object About, TextSpan Where)>
    {
        public static NotedComparer Instance { get; } = new();

        public bool Equals((object About, TextSpan Where) x, (object About, TextSpan Where) y) => ReferenceEquals(x.About, y.About) && x.Where == y.Where;

        public int GetHashCode((object About, TextSpan Where) obj) => HashCode.Combine(RuntimeHelpers.GetHashCode(obj.About), obj.Where);
    }
}
