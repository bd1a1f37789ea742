using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench;

/// <summary>What was found of one figure: samples by side and measure, words where a side was not measured, and errors.</summary>
internal sealed class Findings(string figure, string ours, params string[] peers)
{
    private readonly List<string> _sides = [];
    private readonly List<string> _measures = [];
    private readonly Dictionary<(string Side, string Measure), List<double>> _samples = [];
    private readonly List<string> _notes = [];
    private readonly List<string> _errors = [];

    /// <summary>What went wrong; each makes the whole run fail.</summary>
    public IReadOnlyList<string> Errors => _errors;

    public void Add(string side, string measure, double value)
    {
        if (!_sides.Contains(side, StringComparer.Ordinal))
            _sides.Add(side);
        if (!_measures.Contains(measure, StringComparer.Ordinal))
            _measures.Add(measure);
        if (!_samples.TryGetValue((side, measure), out var samples))
            _samples.Add((side, measure), samples = []);
        samples.Add(value);
    }

    /// <summary>Says something that no number says; said twice, it stands once.</summary>
    public void Note(string side, string words)
    {
        if (!_notes.Contains($"{side}: {words}", StringComparer.Ordinal))
            _notes.Add($"{side}: {words}");
    }

    /// <summary>Counts an error of a run.</summary>
    public void Fail(string side, string words) => _errors.Add($"{side}: {words}");

    public Dictionary<string, object> Report() => new(StringComparer.Ordinal)
    {
        ["sides"] = _sides.ToDictionary(s => s, MeasuresOf, StringComparer.Ordinal),
        ["ratios"] = _measures.Where(m => Median(ours, m) is not null).ToDictionary(m => m, RatiosOf, StringComparer.Ordinal),
        ["notes"] = _notes,
        ["errors"] = _errors,
    };

    public async Task PrintAsync(TextWriter to)
    {
        await to.WriteLineAsync($"{figure,-34}{string.Concat(_sides.Select(s => $"{s,12}"))}{string.Concat(peers.Select(p => $"{"/ " + p,11}"))}");
        foreach (var measure in _measures)
        {
            var medians = string.Concat(_sides.Select(s => $"{(Median(s, measure) is { } m ? Short(m) : "-"),12}"));
            var ratios = string.Concat(peers.Select(p => $"{(Ratio(measure, p) is { } r ? $"{r:0.00}" : ""),11}"));
            await to.WriteLineAsync($"  {measure,-32}{medians}{ratios}".TrimEnd());
        }
        foreach (var note in _notes)
            await to.WriteLineAsync($"  {note}");
        foreach (var error in _errors)
            await to.WriteLineAsync($"  ERROR {error}");
    }

    private double? Median(string side, string measure) =>
        _samples.TryGetValue((side, measure), out var samples) ? Judgement.Median(samples) : null;

    private double? Ratio(string measure, string peer) =>
        Median(ours, measure) is { } mine && Median(peer, measure) is { } theirs && theirs > 0 ? mine / theirs : null;

    private Dictionary<string, object> MeasuresOf(string side) => _measures.Where(m => Median(side, m) is not null).ToDictionary(
        m => m,
        object (m) => new { median = Judgement.Round(Median(side, m)!.Value), runs = _samples[(side, m)].ConvertAll(Judgement.Round) },
        StringComparer.Ordinal);

    private Dictionary<string, double> RatiosOf(string measure) => peers.Where(p => Ratio(measure, p) is not null)
        .ToDictionary(p => p, p => Math.Round(Ratio(measure, p)!.Value, 3), StringComparer.Ordinal);

    private static string Short(double value) => value switch
    {
        >= 1000 => $"{value:0}",
        >= 10 => $"{value:0.0}",
        _ => $"{value:0.000}",
    };
}
