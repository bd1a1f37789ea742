namespace Groundcrew.Bedrock;

/// <summary>One thing that is wrong with an input, said so that its author can mend it.</summary>
/// <param name="Code">Stable, for programs: lower-case words with hyphens, such as <c>unknown-key</c>.</param>
/// <param name="Path">Where in the input, such as <c>services.web.health.period</c>; empty for the whole.</param>
/// <param name="Message">What is wrong, one sentence.</param>
/// <param name="Fix">What to do about it, one sentence.</param>
/// <param name="Line">The line in the source text, from 1; null where the input has no lines.</param>
public sealed record Problem(string Code, string Path, string Message, string Fix, int? Line = null)
{
    /// <summary>One line for a person: where, what, and the fix.</summary>
    public override string ToString()
    {
        var where = Line is { } line ? $"line {line}: " : "";
        var path = Path.Length > 0 ? $"{Path}: " : "";
        return $"{where}{path}{Message} {Fix}".TrimEnd();
    }
}

/// <summary>Gathers every problem of one input, so that it is judged whole. Not thread-safe.</summary>
public sealed class ProblemList
{
    private readonly List<Problem> _problems = [];

    /// <summary>Whether nothing was found.</summary>
    public bool IsEmpty => _problems.Count == 0;

    /// <summary>What was found, in the order of finding.</summary>
    public IReadOnlyList<Problem> Problems => _problems;

    /// <summary>Adds one.</summary>
    public void Add(Problem problem) => _problems.Add(problem);

    /// <summary>Adds one, from its parts.</summary>
    public void Add(string code, string path, string message, string fix, int? line = null) =>
        _problems.Add(new Problem(code, path, message, fix, line));

    /// <summary>Adds all of another input's.</summary>
    public void AddRange(IEnumerable<Problem> problems) => _problems.AddRange(problems);

    /// <summary>Adds a problem when <paramref name="name"/> is not a <see cref="Slug"/>.</summary>
    public void RequireSlug(string path, string? name, int? line = null)
    {
        if (!Slug.IsValid(name, out var why))
            Add("bad-name", path, $"'{name}' is not a name: {why}.",
                $"Use 1 to {Slug.MaxLength} characters of a-z, 0-9 and '-'.", line);
    }
}

/// <summary>An input after judging: either its value or every problem it has, never both.</summary>
public sealed class Judged<T>
    where T : class
{
    private Judged(T? value, IReadOnlyList<Problem> problems)
    {
        Value = value;
        Problems = problems;
    }

    /// <summary>The value; null when there are problems.</summary>
    public T? Value { get; }

    /// <summary>What is wrong; empty when there is a value.</summary>
    public IReadOnlyList<Problem> Problems { get; }

    /// <summary>A good input.</summary>
    public static Judged<T> Good(T value) => new(value, []);

    /// <summary>A refused one. Throws when there is no problem to show.</summary>
    public static Judged<T> Bad(IReadOnlyList<Problem> problems) =>
        problems.Count > 0 ? new(null, problems) : throw new ArgumentException("A refusal names its problems.", nameof(problems));
}
