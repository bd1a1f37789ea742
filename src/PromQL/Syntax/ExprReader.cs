namespace Groundcrew.PromQL;

/// <summary>
/// Reads one query by recursive descent. Whatever returns an expression returns null after a problem that breaks the grammar;
/// problems of meaning are noted and reading goes on. For one query; not thread-safe.
/// </summary>
internal sealed partial class ExprReader(string query, bool experimental, List<ParseProblem> problems)
{
    private const int PowerStrength = 6;
    private readonly Lexer _lexer = new(query);
    private Token? _next;
    private readonly Dictionary<Binary, VectorMatching> _idleMatchings = new(ReferenceEqualityComparer.Instance);
    private int _depth;
    private int _height;
    private int _aggregations;
    private int _lastEnd;

    /// <summary>What was said about the matching of operators that have no two vectors to match.</summary>
    public IReadOnlyDictionary<Binary, VectorMatching> IdleMatchings => _idleMatchings;

    /// <summary>The whole query, or null.</summary>
    public Expr? Query()
    {
        if (Peek().Kind == TokenKind.EndOfInput)
        {
            Problem(default, "no expression found in input");
            return null;
        }
        var expr = Expression(0);
        if (expr is null)
            return null;
        return Peek().Kind == TokenKind.EndOfInput ? expr : Unexpected();
    }

    /// <summary>The whole query if it is a selector, without <c>offset</c> or <c>@</c>.</summary>
    public VectorSelector? LoneSelector()
    {
        var name = Peek();
        if (!IsMetricName(name.Kind) && name.Kind != TokenKind.LeftBrace)
            return Refused();
        var selector = Selector(name.Kind == TokenKind.LeftBrace ? null : Take());
        if (selector is null)
            return null;
        return Peek().Kind == TokenKind.EndOfInput ? selector : Refused();

        VectorSelector? Refused()
        {
            Unexpected();
            return null;
        }
    }

    /// <summary>An operand and the operators after it that bind at least this strongly.</summary>
    private Expr? Expression(int least)
    {
        if (++_depth > Parser.MaxDepth)
            return TooDeep();
        var left = Operand();
        while (left is not null && Peek() is { Kind: TokenKind.Operator } token && Strength((BinaryOp)token.Op) >= least)
        {
            var height = _height;
            left = Operation(left, Take());
            if (left is not null && !TryGrow(Math.Max(height, _height)))
                return null;
        }
        _depth--;
        return left;
    }

    /// <summary>Notes that there is one more level over what was read last, which was so high.</summary>
    private bool TryGrow(int height)
    {
        _height = height + 1;
        if (_height <= Parser.MaxDepth)
            return true;
        TooDeep();
        return false;
    }

    private Expr? TooDeep()
    {
        Problem(Peek().Span, $"expression is nested too deeply, at most {Parser.MaxDepth} levels are allowed");
        return null;
    }

    private Expr? Operand()
    {
        var token = Peek();
        if (token is { Kind: TokenKind.Operator, Op: (int)BinaryOp.Add or (int)BinaryOp.Sub })
            return Signed(Take()) is { } signed && TryGrow(_height) ? signed : null;
        _height = 0;
        var operand = token.Kind switch
        {
            TokenKind.Number or TokenKind.Duration => Number(Take()),
            TokenKind.String => Text(Take()),
            TokenKind.LeftParen => Parenthesized(Take()),
            TokenKind.LeftBrace => Selector(null),
            TokenKind.Aggregator => AggregationOrName(Take()),
            TokenKind.Identifier => CallOrName(Take()),
            TokenKind.Start or TokenKind.End or TokenKind.Step or TokenKind.Range => CallOrName(Take()),
            _ when IsMetricName(token.Kind, token.Op) => Selector(Take()),
            _ => Unexpected(),
        };
        while (operand is not null && Peek().Kind is TokenKind.LeftBracket or TokenKind.Offset or TokenKind.At or TokenKind.Anchored or TokenKind.Smoothed)
            operand = TryGrow(_height) ? Modified(operand, Take()) : null;
        return operand is not null && TryGrow(_height) ? operand : null;
    }

    /// <summary>A sign binds weaker than <c>^</c> and stronger than everything else: <c>-1^2</c> is <c>-(1^2)</c>.</summary>
    private Expr? Signed(Token sign)
    {
        var negative = sign.Op == (int)BinaryOp.Sub;
        return Expression(PowerStrength) switch
        {
            null => null,
            NumberLiteral number => number with { Value = negative ? -number.Value : number.Value, Span = new(sign.Start, number.Span.End) },
            var inner => new Unary(negative, inner, new(sign.Start, inner.Span.End)),
        };
    }

    private Expr? Operation(Expr left, Token token)
    {
        var op = (BinaryOp)token.Op;
        var returnBool = TryTake(TokenKind.Bool);
        var matching = new VectorMatching(op is BinaryOp.And or BinaryOp.Or or BinaryOp.Unless ? MatchCardinality.ManyToMany : MatchCardinality.OneToOne, [], On: false, []);
        if (Peek().Kind is TokenKind.On or TokenKind.Ignoring && !TryMatching(ref matching))
            return null;
        var strength = Strength(op);
        if (Expression(op == BinaryOp.Pow ? strength : strength + 1) is not { } right)
            return null;
        var span = new TextSpan(left.Span.Start, right.Span.End);
        if (left.Type == ValueType.Vector && right.Type == ValueType.Vector)
            return new Binary(op, left, right, matching, returnBool, span);
        var binary = new Binary(op, left, right, null, returnBool, span);
        if (matching.Labels.Count > 0)
            _idleMatchings.Add(binary, matching);
        return binary;
    }

    private bool TryMatching(ref VectorMatching matching)
    {
        var on = Take().Kind == TokenKind.On;
        if (GroupingLabels() is not { } labels)
            return false;
        matching = matching with { On = on, Labels = labels };
        if (Peek().Kind is not (TokenKind.GroupLeft or TokenKind.GroupRight))
            return true;
        matching = matching with { Cardinality = Take().Kind == TokenKind.GroupLeft ? MatchCardinality.ManyToOne : MatchCardinality.OneToMany };
        if (Peek().Kind != TokenKind.LeftParen && BeginsOperand(Peek()))
            return true;
        if (GroupingLabels() is not { } include)
            return false;
        matching = matching with { Include = include };
        return true;
    }

    private Paren? Parenthesized(Token open)
    {
        var inner = Expression(0);
        if (inner is null || !Expect(TokenKind.RightParen))
            return null;
        return new(inner, new(open.Start, _lastEnd));
    }

    private NumberLiteral Number(Token token)
    {
        var text = query.AsSpan(token.Start, token.End - token.Start);
        if (token.Kind == TokenKind.Number)
        {
            var (value, error) = GoNumber.Parse(text.ToString());
            if (error is not null)
                Problem(token.Span, "error parsing number: " + error);
            return new(value, token.Span);
        }
        if (!DurationText.TryParse(text, out var milliseconds, out var problem))
            Problem(token.Span, problem);
        else if (milliseconds == 0)
            Problem(token.Span, "duration must be greater than 0");
        return new(milliseconds / 1000.0, token.Span, IsDuration: true);
    }

    private StringLiteral Text(Token token) => new(Unquoted(token), token.Span);

    private Expr? CallOrName(Token name)
    {
        if (Peek().Kind != TokenKind.LeftParen)
            return Selector(name);
        if (Arguments() is not { } arguments)
            return null;
        var text = query[name.Start..name.End];
        var function = FunctionSignatures.Find(text);
        if (function is null)
            Problem(name.Span, $"unknown function with name {GoText.Quote(text)}");
        else if (function.Experimental && !experimental)
            Problem(name.Span, $"function {GoText.Quote(text)} is not enabled");
        return new Call(function ?? new(text, [], 0, ValueType.Vector), arguments, new(name.Start, _lastEnd));
    }

    private EquatableList<Expr>? Arguments()
    {
        Take();
        var arguments = new List<Expr>();
        var height = 0;
        if (TryTake(TokenKind.RightParen))
            return [];
        while (true)
        {
            if (Expression(0) is not { } argument)
                return null;
            arguments.Add(argument);
            _height = height = Math.Max(height, _height);
            if (!TryTakeComma(out var comma))
                break;
            if (Peek().Kind == TokenKind.Error || BeginsOperand(Peek()))
                continue;
            Problem(comma.Span, "trailing commas not allowed in function call args");
            break;
        }
        return Expect(TokenKind.RightParen) ? [.. arguments] : null;
    }

    private static bool BeginsOperand(Token token) => token.Kind switch
    {
        TokenKind.Number or TokenKind.Duration or TokenKind.String or TokenKind.LeftParen or TokenKind.LeftBrace => true,
        TokenKind.Operator when (BinaryOp)token.Op is BinaryOp.Add or BinaryOp.Sub => true,
        _ => IsMetricName(token.Kind, token.Op),
    };

    private bool TryTakeComma(out Token comma)
    {
        comma = Peek();
        return TryTake(TokenKind.Comma);
    }

    private static int Strength(BinaryOp op) => op switch
    {
        BinaryOp.Or => 1,
        BinaryOp.And or BinaryOp.Unless => 2,
        (>= BinaryOp.Equal and <= BinaryOp.LessOrEqual) or BinaryOp.TrimUpper or BinaryOp.TrimLower => 3,
        BinaryOp.Add or BinaryOp.Sub => 4,
        BinaryOp.Pow => PowerStrength,
        _ => 5,
    };

    private Token Peek()
    {
        _next ??= _lexer.Next();
        return _next.Value;
    }

    private Token Take()
    {
        var token = Peek();
        if (token.Kind is not (TokenKind.Error or TokenKind.EndOfInput))
            _next = null;
        _lastEnd = token.End;
        return token;
    }

    private bool TryTake(TokenKind kind)
    {
        if (Peek().Kind != kind)
            return false;
        Take();
        return true;
    }

    private bool Expect(TokenKind kind)
    {
        if (TryTake(kind))
            return true;
        Unexpected();
        return false;
    }

    private string Unquoted(Token token) => GoText.Unquote(query.AsSpan(token.Start, token.End - token.Start));

    private void Problem(TextSpan span, string message) => problems.Add(new(span, message));

    /// <summary>The next word does not belong here. Says where, unless the text itself is broken there.</summary>
    private Expr? Unexpected(string context = "", string expected = "")
    {
        var token = Peek();
        if (token.Kind == TokenKind.Error)
            Problem(token.Span, _lexer.Error);
        else
        {
            var where = context.Length > 0 ? " in " + context : _aggregations > 0 ? " in aggregation" : "";
            Problem(token.Span, "unexpected " + token.Describe(query) + where + (expected.Length > 0 ? ", expected " + expected : ""));
        }
        return null;
    }
}
