namespace Groundcrew.PromQL;

/// <summary>Durations and the arithmetic of durations: <c>[5m * 2]</c>, <c>offset (step() + 1m)</c>.</summary>
internal sealed partial class ExprReader
{
    private const string AnyDuration = "number, duration, step(), or range()";
    private const double LongestSeconds = 9_223_372_036.854775807;

    /// <summary>A duration within brackets: operands and the operators between them that bind at least this strongly.</summary>
    private Expr? DurationTerms(string context, string expected, int least = 0)
    {
        if (++_depth > Parser.MaxDepth)
            return TooDeep();
        var left = DurationOperand(context, expected);
        while (left is not null && Peek() is { Kind: TokenKind.Operator, Op: <= (int)BinaryOp.Pow } token && Strength((BinaryOp)token.Op) >= least)
        {
            var op = (BinaryOp)Take().Op;
            var strength = Strength(op);
            left = DurationTerms(context, AnyDuration, op == BinaryOp.Pow ? strength : strength + 1) is { } right
                ? new Binary(op, left, right, null, ReturnBool: false, new(left.Span.Start, right.Span.End)) : null;
        }
        _depth--;
        return left;
    }

    private Expr? DurationOperand(string context, string expected)
    {
        var token = Peek();
        switch (token.Kind)
        {
            case TokenKind.Operator when token.Op is (int)BinaryOp.Add or (int)BinaryOp.Sub:
                return SignedDuration(Take(), context, expected);
            case TokenKind.Number or TokenKind.Duration:
                return PlainDuration();
            case TokenKind.LeftParen:
                Take();
                return DurationTerms("duration", AnyDuration) is { } inner && Expect(TokenKind.RightParen) ? new Paren(inner, new(token.Start, _lastEnd)) : null;
            case TokenKind.Step or TokenKind.Range:
                Take();
                return Expect(TokenKind.LeftParen) && Expect(TokenKind.RightParen)
                    ? new Call(new(DurationMath.NameOf(query, token), [], 0, ValueType.Scalar), [], new(token.Start, _lastEnd)) : null;
            case TokenKind.Aggregator when token.Op is (int)AggregateOp.Min or (int)AggregateOp.Max:
                return ChosenDuration(Take());
            default:
                return Unexpected(context, expected);
        }
    }

    private Expr? SignedDuration(Token sign, string context, string expected)
    {
        var negative = sign.Op == (int)BinaryOp.Sub;
        // Behind offset, operators belong to what the offset is of.
        return (context == "offset" ? DurationOperand(context, expected) : DurationTerms(context, expected, PowerStrength)) switch
        {
            null => null,
            NumberLiteral number => number with { Value = negative ? -number.Value : number.Value, Span = new(sign.Start, number.Span.End) },
            var inner => new Unary(negative, inner, new(sign.Start, inner.Span.End)),
        };
    }

    private Call? ChosenDuration(Token name)
    {
        if (!Expect(TokenKind.LeftParen) || DurationTerms("duration", AnyDuration) is not { } one || !Expect(TokenKind.Comma)
            || DurationTerms("duration", AnyDuration) is not { } other || !Expect(TokenKind.RightParen))
            return null;
        return new(new(DurationMath.NameOf(query, name), [ValueType.Scalar, ValueType.Scalar], 0, ValueType.Scalar), [one, other], new(name.Start, _lastEnd));
    }

    private NumberLiteral PlainDuration()
    {
        var number = Number(Take());
        if (Math.Abs(number.Value) <= LongestSeconds)
            return number;
        Problem(number.Span, "duration out of range");
        return number with { Value = 1 };
    }

    /// <summary>The milliseconds of a duration, which must be more than 0, and the expression itself when it is more than a number.</summary>
    private (long Milliseconds, Expr? Expression) Positive(Expr duration)
    {
        var (milliseconds, expression) = Measured(duration, out var seconds);
        if (seconds is { } known && !(known > 0))
            Problem(duration.Span, "duration must be greater than 0");
        return (Math.Max(1, milliseconds), expression);
    }

    /// <summary>The same for an offset, which may be anything. What depends on the query's step or range counts as 0 until it runs.</summary>
    private (long Milliseconds, Expr? Expression) Measured(Expr duration, out double? seconds)
    {
        seconds = null;
        if (DurationMath.IsConstant(duration))
        {
            if (DurationMath.Problem(duration, 0, 0, out var value) is { } problem)
                Problem(duration.Span, problem);
            seconds = value;
        }
        return (DurationMath.Milliseconds(seconds ?? 0), duration is NumberLiteral ? null : duration);
    }

    /// <summary>The moment after <c>@</c>: a number, with a sign or without.</summary>
    private NumberLiteral? Moment()
    {
        Token? sign = Peek() is { Kind: TokenKind.Operator, Op: (int)BinaryOp.Add or (int)BinaryOp.Sub } ? Take() : null;
        var token = Peek();
        if (token.Kind is not (TokenKind.Number or TokenKind.Duration))
        {
            Unexpected("@", "timestamp");
            return null;
        }
        var number = Number(Take());
        return sign is not { } s ? number : number with { Value = s.Op == (int)BinaryOp.Sub ? -number.Value : number.Value, Span = new(s.Start, number.Span.End) };
    }
}
