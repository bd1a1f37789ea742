using System.Runtime.InteropServices;
using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Scripts;

/// <summary>A step of a script.</summary>
internal abstract record ScriptCommand(int Line)
{
    /// <summary>Forget everything.</summary>
    public sealed record Clear(int Line) : ScriptCommand(Line);

    /// <summary>Adds series; point i lies at i times the step.</summary>
    public sealed record Load(int Line, long Step, bool WithCustomBuckets, IReadOnlyList<NotedSeries> Series) : ScriptCommand(Line);

    /// <summary>Asks a query: at <paramref name="Start"/> when the step is 0, otherwise over a range.</summary>
    public sealed record Eval(int Line, string Query, long Start, long End, long Step, Expectation Expected) : ScriptCommand(Line)
    {
        public bool IsRange => Step > 0;
    }
}

/// <summary>A series with its points as they were written.</summary>
internal sealed record NotedSeries(Labels Labels, IReadOnlyList<NotedPoint> Points);

/// <summary>A point of a series: a gap, a float or a histogram.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct NotedPoint(bool IsGap, double Value, FloatHistogram? Histogram, bool HintIsStated = false)
{
    public static NotedPoint Gap => new(true, 0, null);
}

/// <summary>What an answer must be.</summary>
internal sealed record Expectation
{
    public bool Fails { get; set; }

    public bool Ordered { get; set; }

    public List<MessageRule> Failure { get; } = [];

    /// <summary>Remarks that must be there; null when none was named.</summary>
    public List<MessageRule>? Warnings { get; set; }

    public List<MessageRule>? Infos { get; set; }

    public bool NoWarnings { get; set; }

    public bool NoInfos { get; set; }

    public double? Scalar { get; set; }

    public string? Text { get; set; }

    /// <summary>When the answer to an instant query is to be a range vector: its first moment and step.</summary>
    public (long Start, long End, long Step)? RangeVector { get; set; }

    public List<NotedSeries> Series { get; } = [];
}

/// <summary>How a message must be: exactly this, or holding what the pattern matches, or anything when both are null.</summary>
internal sealed class MessageRule(string? exactly, string? pattern)
{
    private readonly RegexpPattern? _pattern = pattern is null ? null : RegexpPattern.Anchored($".*(?:{pattern}).*");

    public static MessageRule Any { get; } = new(null, null);

    public bool Fits(string message) => exactly is not null ? message == exactly : _pattern is null || _pattern.IsMatch(Encoding.UTF8.GetBytes(message));

    public override string ToString() => exactly is not null ? GoText.Quote(exactly) : pattern is not null ? "what matches " + GoText.Quote(pattern) : "any";
}

/// <summary>A line of a script cannot be read; caught once, where the script is run.</summary>
internal sealed class ScriptProblemException(int line, string message) : Exception(message)
{
    public int Line => line;
}
