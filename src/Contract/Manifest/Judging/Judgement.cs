using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>One reading's memory: the problems found, and the line of every path seen. Not thread-safe; one for each reading.</summary>
/// <param name="root">What every path begins with.</param>
internal sealed class Judgement(string root = "")
{
    private readonly ProblemList _problems = new();
    private readonly Dictionary<string, int> _lines = new(StringComparer.Ordinal);

    /// <summary>A path one key further.</summary>
    public static string Join(string path, string key) => path.Length == 0 ? Words.Show(key) : $"{path}.{Words.Show(key)}";

    /// <summary>Remembers where a path stands.</summary>
    public void Note(string path, int line) => _lines.TryAdd(path, line);

    /// <summary>Whether the manifest says anything at a path, good or bad.</summary>
    public bool Has(string path) => _lines.ContainsKey(path);

    /// <summary>Adds a problem at the line of its path, or of the nearest part of it. Always null, so that a reader may return it.</summary>
    public object? Refuse(ProblemKind kind, string path, string message, string? fix = null, int? line = null)
    {
        var shown = root.Length == 0 || path.Length == 0 ? root + path : $"{root}.{path}";
        _problems.Add(kind.Code, shown, message, fix ?? kind.Fix, line ?? LineOf(path));
        return null;
    }

    /// <summary>Refuses a value of another type than is wanted.</summary>
    public object? RefuseType(string path, Node node, string wanted, string? fix = null) => node switch
    {
        RefusedNode => null,
        ScalarNode { IsNothing: true } => Refuse(ProblemKinds.NoValue, path, $"Nothing stands here; wanted is {wanted}."),
        _ => Refuse(ProblemKinds.WrongType, path, $"This is {node.Says}; wanted is {wanted}.", fix),
    };

    /// <summary>The value, if it has no problem.</summary>
    public Judged<T> Conclude<T>(T? value)
        where T : class
    {
        if (!_problems.IsEmpty)
            return Judged<T>.Bad([.. _problems.Problems.OrderBy(problem => problem.Line)]);
        return Judged<T>.Good(value ?? throw new InvalidOperationException("A reading without a value names its problems."));
    }

    private int LineOf(string path)
    {
        for (var part = path; part.Length > 0; part = part[..Math.Max(0, part.LastIndexOfAny(['.', '[']))])
            if (_lines.TryGetValue(part, out var line))
                return line;
        return 1;
    }
}
