using System.Collections.Frozen;
using System.Runtime.InteropServices;

namespace Groundcrew.PromQL;

internal enum TokenKind
{
    Error, EndOfInput, Identifier, MetricIdentifier, Number, Duration, String,
    LeftParen, RightParen, LeftBrace, RightBrace, LeftBracket, RightBracket, Comma, Colon, Assign,
    Operator, RegexMatch, RegexNoMatch, At,
    Aggregator,
    Bool, By, GroupLeft, GroupRight, Ignoring, Offset, Smoothed, Anchored, On, Without,
    Start, End, Step, Range,
}

/// <summary>A word of the language. <paramref name="Op"/> is the <see cref="BinaryOp"/> or <see cref="AggregateOp"/> that it stands for.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Token(TokenKind Kind, int Start, int End, int Op = 0)
{
    public TextSpan Span => new(Start, End);

    /// <summary>How Prometheus names it where it does not belong.</summary>
    public string Describe(string query)
    {
        var text = query[Start..End];
        return Kind switch
        {
            TokenKind.EndOfInput => "end of input",
            TokenKind.Identifier => "identifier " + GoText.Quote(text),
            TokenKind.MetricIdentifier => "metric identifier " + GoText.Quote(text),
            TokenKind.Number => "number " + Shortened(text),
            TokenKind.Duration => "duration " + Shortened(text),
            TokenKind.String => "string " + Shortened(text),
            TokenKind.Operator or TokenKind.RegexMatch or TokenKind.RegexNoMatch or TokenKind.At => $"<op:{text}>",
            TokenKind.Aggregator => $"<aggr:{text}>",
            >= TokenKind.Bool and <= TokenKind.Without => $"<{text}>",
            _ => GoText.Quote(text),
        };
    }

    private static string Shortened(string text)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(text) <= 10)
            return GoText.Quote(text);
        var ten = string.Concat(text.EnumerateRunes().Take(10).Select(r => r.ToString()));
        return GoText.Quote(ten) + "...";
    }
}

/// <summary>The words that have a meaning of their own, whatever their case.</summary>
internal static class Keywords
{
    private static readonly FrozenDictionary<string, (TokenKind Kind, int Op)> All = new Dictionary<string, (TokenKind Kind, int Op)>(StringComparer.OrdinalIgnoreCase)
    {
        ["and"] = (TokenKind.Operator, (int)BinaryOp.And),
        ["or"] = (TokenKind.Operator, (int)BinaryOp.Or),
        ["unless"] = (TokenKind.Operator, (int)BinaryOp.Unless),
        ["atan2"] = (TokenKind.Operator, (int)BinaryOp.Atan2),
        ["sum"] = (TokenKind.Aggregator, (int)AggregateOp.Sum),
        ["avg"] = (TokenKind.Aggregator, (int)AggregateOp.Avg),
        ["count"] = (TokenKind.Aggregator, (int)AggregateOp.Count),
        ["min"] = (TokenKind.Aggregator, (int)AggregateOp.Min),
        ["max"] = (TokenKind.Aggregator, (int)AggregateOp.Max),
        ["group"] = (TokenKind.Aggregator, (int)AggregateOp.Group),
        ["stddev"] = (TokenKind.Aggregator, (int)AggregateOp.Stddev),
        ["stdvar"] = (TokenKind.Aggregator, (int)AggregateOp.Stdvar),
        ["topk"] = (TokenKind.Aggregator, (int)AggregateOp.TopK),
        ["bottomk"] = (TokenKind.Aggregator, (int)AggregateOp.BottomK),
        ["count_values"] = (TokenKind.Aggregator, (int)AggregateOp.CountValues),
        ["quantile"] = (TokenKind.Aggregator, (int)AggregateOp.Quantile),
        ["limitk"] = (TokenKind.Aggregator, (int)AggregateOp.LimitK),
        ["limit_ratio"] = (TokenKind.Aggregator, (int)AggregateOp.LimitRatio),
        ["bool"] = (TokenKind.Bool, 0),
        ["by"] = (TokenKind.By, 0),
        ["group_left"] = (TokenKind.GroupLeft, 0),
        ["group_right"] = (TokenKind.GroupRight, 0),
        ["ignoring"] = (TokenKind.Ignoring, 0),
        ["offset"] = (TokenKind.Offset, 0),
        ["smoothed"] = (TokenKind.Smoothed, 0),
        ["anchored"] = (TokenKind.Anchored, 0),
        ["on"] = (TokenKind.On, 0),
        ["without"] = (TokenKind.Without, 0),
        ["start"] = (TokenKind.Start, 0),
        ["end"] = (TokenKind.End, 0),
        ["step"] = (TokenKind.Step, 0),
        ["range"] = (TokenKind.Range, 0),
        ["inf"] = (TokenKind.Number, 0),
        ["nan"] = (TokenKind.Number, 0),
    }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenDictionary<string, (TokenKind Kind, int Op)>.AlternateLookup<ReadOnlySpan<char>> BySpan = All.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>What a word means; a plain identifier when nothing.</summary>
    public static (TokenKind Kind, int Op) Of(ReadOnlySpan<char> word) =>
        BySpan.TryGetValue(word, out var found) ? found : (word.Contains(':') ? TokenKind.MetricIdentifier : TokenKind.Identifier, 0);

    /// <summary>Whether a label of this name must be quoted in a list of labels, because there the word would not be a name.</summary>
    public static bool MustBeQuotedInList(string label) => Of(label).Kind is TokenKind.Number or TokenKind.Without;

    /// <summary>The sign or word of an operator.</summary>
    public static string Of(BinaryOp op) => op switch
    {
        BinaryOp.Add => "+",
        BinaryOp.Sub => "-",
        BinaryOp.Mul => "*",
        BinaryOp.Div => "/",
        BinaryOp.Mod => "%",
        BinaryOp.Pow => "^",
        BinaryOp.Atan2 => "atan2",
        BinaryOp.Equal => "==",
        BinaryOp.NotEqual => "!=",
        BinaryOp.Greater => ">",
        BinaryOp.Less => "<",
        BinaryOp.GreaterOrEqual => ">=",
        BinaryOp.LessOrEqual => "<=",
        BinaryOp.And => "and",
        BinaryOp.Or => "or",
        BinaryOp.TrimUpper => "</",
        BinaryOp.TrimLower => ">/",
        _ => "unless",
    };

    /// <summary>The word of an aggregation.</summary>
    public static string Of(AggregateOp op) => op switch
    {
        AggregateOp.CountValues => "count_values",
        AggregateOp.LimitRatio => "limit_ratio",
        _ => op.ToString().ToLowerInvariant(),
    };
}
