using Groundcrew.Metrics;

namespace Groundcrew.PromQL;

internal sealed partial class ExprReader
{
    private static bool IsMetricName(TokenKind kind, int op = 0) => kind switch
    {
        TokenKind.Identifier or TokenKind.MetricIdentifier or TokenKind.Aggregator => true,
        TokenKind.By or TokenKind.Offset or TokenKind.Without or TokenKind.Anchored or TokenKind.Smoothed => true,
        TokenKind.Start or TokenKind.End or TokenKind.Step or TokenKind.Range => true,
        TokenKind.Operator => (BinaryOp)op is BinaryOp.And or BinaryOp.Or or BinaryOp.Unless,
        _ => false,
    };

    private static bool IsLabelName(Token token) => token.Kind switch
    {
        TokenKind.Without => false,
        TokenKind.Bool or TokenKind.GroupLeft or TokenKind.GroupRight or TokenKind.Ignoring or TokenKind.On => true,
        TokenKind.Operator when token.Op == (int)BinaryOp.Atan2 => true,
        _ => IsMetricName(token.Kind, token.Op),
    };

    /// <summary>A selector whose name was taken already, or that begins with its braces.</summary>
    private VectorSelector? Selector(Token? name)
    {
        var start = name?.Start ?? Peek().Start;
        var text = name is { } n ? query[n.Start..n.End] : "";
        var matchers = new List<LabelMatcherText>();
        if (Peek().Kind == TokenKind.LeftBrace && !TryMatchers(matchers))
            return null;
        if (text.Length > 0)
            matchers.Add(new(MatchKind.Equal, Labels.MetricName, text));
        return new(text, [.. matchers], 0, null, new(start, _lastEnd));
    }

    private bool TryMatchers(List<LabelMatcherText> matchers)
    {
        Take();
        if (TryTake(TokenKind.RightBrace))
            return true;
        while (true)
        {
            if (!TryMatcher(matchers))
                return false;
            if (TryTake(TokenKind.RightBrace))
                return true;
            if (!TryTake(TokenKind.Comma))
            {
                Unexpected("label matching", "\",\" or \"}\"");
                return false;
            }
            if (TryTake(TokenKind.RightBrace))
                return true;
        }
    }

    private bool TryMatcher(List<LabelMatcherText> matchers)
    {
        var first = Peek();
        if (first.Kind is not (TokenKind.Identifier or TokenKind.String))
            return Refuse("identifier or \"}\"");
        Take();
        var name = first.Kind == TokenKind.String ? Unquoted(first) : query[first.Start..first.End];
        MatchKind? kind = Peek() switch
        {
            { Kind: TokenKind.Assign } => MatchKind.Equal,
            { Kind: TokenKind.Operator, Op: (int)BinaryOp.NotEqual } => MatchKind.NotEqual,
            { Kind: TokenKind.RegexMatch } => MatchKind.Regexp,
            { Kind: TokenKind.RegexNoMatch } => MatchKind.NotRegexp,
            _ => null,
        };
        if (kind is not { } known)
        {
            if (first.Kind != TokenKind.String)
                return Refuse("label matching operator");
            matchers.Add(new(MatchKind.Equal, Labels.MetricName, name));
            return true;
        }
        Take();
        var value = Peek();
        if (value.Kind != TokenKind.String)
            return Refuse("string");
        Take();
        var text = Unquoted(value);
        if (known is MatchKind.Regexp or MatchKind.NotRegexp && RegexpPattern.ProblemOf(text) is { } problem)
            Problem(new(first.Start, value.End), problem);
        else
            matchers.Add(new(known, name, text));
        return true;

        bool Refuse(string expected)
        {
            Unexpected("label matching", expected);
            return false;
        }
    }

    private Expr? AggregationOrName(Token name)
    {
        if (Peek().Kind is not (TokenKind.LeftParen or TokenKind.By or TokenKind.Without))
            return Selector(name);
        _aggregations++;
        var without = false;
        EquatableList<string>? grouping = null;
        if (Peek().Kind is TokenKind.By or TokenKind.Without && !TryGrouping(out without, out grouping))
            return null;
        if (Peek().Kind != TokenKind.LeftParen)
            return Unexpected();
        if (Arguments() is not { } arguments)
            return null;
        _aggregations--;
        if (grouping is null && Peek().Kind is TokenKind.By or TokenKind.Without && !TryGrouping(out without, out grouping))
            return null;
        return Aggregation(name, arguments, grouping ?? [], without);
    }

    private bool TryGrouping(out bool without, out EquatableList<string>? grouping)
    {
        without = Take().Kind == TokenKind.Without;
        return (grouping = GroupingLabels()) is not null;
    }

    private Expr Aggregation(Token name, EquatableList<Expr> arguments, EquatableList<string> grouping, bool without)
    {
        var op = (AggregateOp)name.Op;
        var span = new TextSpan(name.Start, _lastEnd);
        var wanted = op is AggregateOp.TopK or AggregateOp.BottomK or AggregateOp.CountValues or AggregateOp.Quantile or AggregateOp.LimitK or AggregateOp.LimitRatio ? 2 : 1;
        if (arguments.Count == 0)
            Problem(span, "no arguments for aggregate expression provided");
        else if (op is AggregateOp.LimitK or AggregateOp.LimitRatio && !experimental)
            Problem(span, $"{query[name.Start..name.End]}() is experimental and must be enabled with --enable-feature=promql-experimental-functions");
        else if (arguments.Count != wanted)
            Problem(span, $"wrong number of arguments for aggregate expression provided, expected {wanted}, got {arguments.Count}");
        else
            return new Aggregate(op, arguments[wanted - 1], wanted == 2 ? arguments[0] : null, grouping, without, span);
        return new NumberLiteral(0, span);
    }

    private EquatableList<string>? GroupingLabels()
    {
        const string context = "grouping opts";
        if (!TryTake(TokenKind.LeftParen))
            return Refuse("\"(\"");
        var labels = new List<string>();
        while (!TryTake(TokenKind.RightParen))
        {
            if (labels.Count > 0)
            {
                if (!TryTake(TokenKind.Comma))
                    return Refuse("\",\" or \")\"");
                if (TryTake(TokenKind.RightParen))
                    break;
            }
            var token = Peek();
            if (token.Kind != TokenKind.String && !IsLabelName(token))
                return Refuse("label");
            Take();
            var label = token.Kind == TokenKind.String ? Unquoted(token) : query[token.Start..token.End];
            if (label.Length == 0 || !GoText.IsValid(label))
                Problem(token.Span, $"invalid label name for grouping: {GoText.Quote(label)}");
            labels.Add(label);
        }
        return [.. labels];

        EquatableList<string>? Refuse(string expected)
        {
            Unexpected(context, expected);
            return null;
        }
    }

    /// <summary>What stands behind an operand and belongs to it: a range, <c>offset</c>, <c>@</c>.</summary>
    private Expr? Modified(Expr operand, Token token)
    {
        switch (token.Kind)
        {
            case TokenKind.LeftBracket:
                return Ranged(operand, token);
            case TokenKind.Offset:
                return Offset(operand);
            case TokenKind.At:
                return At(operand);
            default:
                return Bounded(operand, token.Kind == TokenKind.Anchored ? RangeBoundary.Anchored : RangeBoundary.Smoothed);
        }
    }

    private Expr Bounded(Expr operand, RangeBoundary boundary)
    {
        var word = boundary == RangeBoundary.Anchored ? "anchored" : "smoothed";
        var selector = operand as VectorSelector ?? (operand as MatrixSelector)?.Selector;
        if (operand is Subquery)
            Problem(operand.Span, $"{word} modifier is not supported for subqueries");
        else if (selector is null)
            Problem(operand.Span, $"{word} modifier must be preceded by an instant vector selector or range vector selector");
        else if (selector.Boundary == boundary)
            Problem(operand.Span, $"{word} modifier may not be set multiple times");
        else if (selector.Boundary != RangeBoundary.None)
            Problem(operand.Span, "anchored and smoothed modifiers cannot be used together");
        var span = new TextSpan(operand.Span.Start, _lastEnd);
        return operand switch
        {
            VectorSelector v => v with { Boundary = boundary, Span = span },
            MatrixSelector m => m with { Selector = m.Selector with { Boundary = boundary }, Span = span },
            _ => operand,
        };
    }

    private Expr? Ranged(Expr operand, Token open)
    {
        if (DurationTerms("subquery or range selector", AnyDuration) is not { } length)
            return null;
        var (range, expression) = Positive(length);
        if (TryTake(TokenKind.RightBracket))
            return Matrix(operand, range, open) with { RangeExpression = expression };
        if (!TryTake(TokenKind.Colon))
            return Unexpected("subquery or range", "\":\" or \"]\"");
        var (step, stepExpression) = (0L, (Expr?)null);
        if (Peek().Kind != TokenKind.RightBracket)
        {
            if (DurationTerms("subquery selector", "number, duration, step(), range(), or \"]\"") is not { } resolution)
                return null;
            (step, stepExpression) = Positive(resolution);
        }
        if (!TryTake(TokenKind.RightBracket))
            return Unexpected("subquery selector", "\"]\"");
        return new Subquery(operand, range, step, 0, null, new(operand.Span.Start, _lastEnd)) { RangeExpression = expression, StepExpression = stepExpression };
    }

    private MatrixSelector Matrix(Expr operand, long range, Token open)
    {
        var problem = operand switch
        {
            not VectorSelector => "ranges only allowed for vector selectors",
            VectorSelector { Offset: not 0 } => "no offset modifiers allowed before range",
            VectorSelector { At: not null } => "no @ modifiers allowed before range",
            VectorSelector { Boundary: RangeBoundary.Anchored } => "no anchored modifiers allowed before range",
            VectorSelector { Boundary: RangeBoundary.Smoothed } => "no smoothed modifiers allowed before range",
            _ => null,
        };
        if (problem is not null)
            Problem(new(open.Start, _lastEnd), problem);
        var selector = operand as VectorSelector ?? new VectorSelector("", [], 0, null, operand.Span);
        return new(selector, range, new(operand.Span.Start, _lastEnd));
    }

    private Expr? Offset(Expr operand)
    {
        if (DurationOperand("offset", AnyDuration) is not { } by)
            return null;
        var (offset, expression) = Measured(by, out _);
        var before = operand switch
        {
            VectorSelector v => v.OffsetExpression is null ? v.Offset : 1,
            MatrixSelector m => m.Selector.OffsetExpression is null ? m.Selector.Offset : 1,
            Subquery s => s.OffsetExpression is null ? s.Offset : 1,
            _ => (long?)null,
        };
        if (before is null)
            Problem(operand.Span, "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
        else if (before != 0)
            Problem(operand.Span, "offset may not be set multiple times");
        return With(operand, offset, at: null, expression);
    }

    private Expr? At(Expr operand)
    {
        AtModifier at;
        var token = Peek();
        if (token.Kind is TokenKind.Start or TokenKind.End)
        {
            Take();
            if (!TryTake(TokenKind.LeftParen) || !TryTake(TokenKind.RightParen))
                return Unexpected("@", "timestamp");
            at = new(token.Kind == TokenKind.Start ? AtAnchor.Start : AtAnchor.End);
        }
        else
        {
            if (Moment() is not { } moment)
                return null;
            if (double.IsNaN(moment.Value) || Math.Abs(moment.Value) >= long.MaxValue)
                Problem(operand.Span, $"timestamp out of bounds for @ modifier: {(double.IsFinite(moment.Value) ? moment.Value.ToString("F6") : GoNumber.Format(moment.Value))}");
            at = new(AtAnchor.Time, (long)Math.Round(moment.Value * 1000, MidpointRounding.AwayFromZero));
        }
        var (pinnable, before) = operand switch
        {
            VectorSelector v => (true, v.At),
            MatrixSelector m => (true, m.Selector.At),
            Subquery s => (true, s.At),
            _ => (false, null),
        };
        if (!pinnable)
            Problem(operand.Span, "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
        else if (before is not null)
            Problem(operand.Span, "@ <timestamp> may not be set multiple times");
        return With(operand, offset: null, at);
    }

    private Expr With(Expr operand, long? offset, AtModifier? at, Expr? offsetExpression = null)
    {
        var span = new TextSpan(operand.Span.Start, _lastEnd);
        return operand switch
        {
            VectorSelector v => Selected(v) with { Span = span },
            MatrixSelector m => m with { Selector = Selected(m.Selector), Span = span },
            Subquery s => s with { Offset = offset ?? s.Offset, OffsetExpression = offsetExpression ?? s.OffsetExpression, At = at ?? s.At, Span = span },
            _ => operand,
        };

        VectorSelector Selected(VectorSelector v) => v with { Offset = offset ?? v.Offset, OffsetExpression = offsetExpression ?? v.OffsetExpression, At = at ?? v.At };
    }
}
