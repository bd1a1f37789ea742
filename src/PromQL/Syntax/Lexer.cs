using System.Text;

namespace Groundcrew.PromQL;

/// <summary>
/// Divides a query into words. What a character means depends on the brackets around it. After an error it gives that error
/// again and again. Not thread-safe.
/// </summary>
internal sealed class Lexer(string text)
{
    private const int EndOfText = -1;
    private int _at;
    private int _start;
    private int _parens;
    private bool _inBraces;
    private bool _inBrackets;
    private bool _beforeDuration;
    private bool _hasDuration;
    private bool _hasColon;
    private string? _error;

    /// <summary>What is wrong, once an <see cref="TokenKind.Error"/> was given.</summary>
    public string Error => _error ?? "";

    /// <summary>The next word.</summary>
    public Token Next()
    {
        if (_error is not null)
            return new(TokenKind.Error, _start, text.Length);
        SkipBlanksAndComments();
        _start = _at;
        return _inBraces ? InBraces() : _beforeDuration ? BeforeDuration() : Statement();
    }

    private Token Statement()
    {
        var c = Take();
        switch (c)
        {
            case EndOfText:
                return _parens > 0 ? Fail("unclosed left parenthesis") : _inBrackets ? Fail("unclosed left bracket") : Emit(TokenKind.EndOfInput);
            case ',':
                return Emit(TokenKind.Comma);
            case '*' or '/' or '%' or '+' or '-' or '^' or '<' or '>':
                return Operator(c);
            case '=' when Peek() == '~':
                return Fail($"unexpected character after '=': {GoText.QuoteRune(Peek())}");
            case '=':
                return Accept('=') ? Emit(TokenKind.Operator, (int)BinaryOp.Equal) : Emit(TokenKind.Assign);
            case '!':
                return Accept('=') ? Emit(TokenKind.Operator, (int)BinaryOp.NotEqual) : Fail($"unexpected character after '!': {GoText.QuoteRune(Peek())}");
            case '"' or '\'':
                return Quoted(c);
            case '`':
                return Raw();
            case '(' or ')' or '{' or '[' or ']':
                return Bracket(c);
            case '@':
                return Emit(TokenKind.At);
            default:
                return IsDigit(c) || (c == '.' && IsDigit(Peek())) ? NumberOrDuration() : IsAlpha(c) || c == ':' ? Word(c) : Fail($"unexpected character: {GoText.QuoteRune(c)}");
        }
    }

    private Token Bracket(int c)
    {
        switch (c)
        {
            case '(':
                _parens++;
                return Emit(TokenKind.LeftParen);
            case ')':
                // Prometheus has taken the parenthesis already when it sees that there is none to close.
                if (--_parens >= 0)
                    return Emit(TokenKind.RightParen);
                _start = _at;
                return Fail("unexpected right parenthesis ')'");
            case '{':
                _inBraces = true;
                return Emit(TokenKind.LeftBrace);
            case '[' when _inBrackets:
                return Fail("unexpected left bracket '['");
            case '[':
                (_inBrackets, _beforeDuration, _hasDuration, _hasColon) = (true, true, false, false);
                return Emit(TokenKind.LeftBracket);
            default:
                if (!_inBrackets)
                    return Fail("unexpected right bracket ']'");
                (_inBrackets, _beforeDuration) = (false, false);
                return Emit(TokenKind.RightBracket);
        }
    }

    private Token BeforeDuration()
    {
        var c = Take();
        switch (c)
        {
            case EndOfText:
                return Fail("unexpected end of input in duration expression");
            case ']' or '(' or ')':
                return Bracket(c);
            case ':' when _hasDuration && !_hasColon:
                (_beforeDuration, _hasColon) = (false, true);
                return Emit(TokenKind.Colon);
            case ':' when !_hasDuration:
                _start = _at;
                return Fail("unexpected colon before duration in duration expression");
            case ',':
                return Emit(TokenKind.Comma);
            case '+' or '-' or '*' or '/' or '%' or '^':
                return Operator(c);
            default:
                if (IsDigit(c) || (c == '.' && IsDigit(Peek())))
                    return NumberOrDuration();
                return DurationWord() ?? Fail($"unexpected character in duration expression: {GoText.QuoteRune(c)}");
        }
    }

    private Token InBraces()
    {
        var c = Take();
        switch (c)
        {
            case EndOfText:
                return Fail("unexpected end of input inside braces");
            case ',':
                return Emit(TokenKind.Comma);
            case '"' or '\'':
                return Quoted(c);
            case '`':
                return Raw();
            case '=':
                return Emit(Accept('~') ? TokenKind.RegexMatch : TokenKind.Assign);
            case '!':
                if (Accept('~'))
                    return Emit(TokenKind.RegexNoMatch);
                return Accept('=') ? Emit(TokenKind.Operator, (int)BinaryOp.NotEqual) : Fail($"unexpected character after '!' inside braces: {GoText.QuoteRune(Peek())}");
            case '{':
                return Fail("unexpected left brace '{'");
            case '}':
                _inBraces = false;
                return Emit(TokenKind.RightBrace);
            default:
                if (!IsAlpha(c))
                    return Fail($"unexpected character inside braces: {GoText.QuoteRune(c)}");
                while (IsAlphaNumeric(Peek()))
                    _at++;
                return Emit(TokenKind.Identifier);
        }
    }

    private Token Operator(int c)
    {
        var op = c switch
        {
            '*' => BinaryOp.Mul,
            '/' => BinaryOp.Div,
            '%' => BinaryOp.Mod,
            '+' => BinaryOp.Add,
            '-' => BinaryOp.Sub,
            '^' => BinaryOp.Pow,
            '<' => Accept('=') ? BinaryOp.LessOrEqual : Accept('/') ? BinaryOp.TrimUpper : BinaryOp.Less,
            _ => Accept('=') ? BinaryOp.GreaterOrEqual : Accept('/') ? BinaryOp.TrimLower : BinaryOp.Greater,
        };
        return Emit(TokenKind.Operator, (int)op);
    }

    private Token Word(int first)
    {
        if (_inBrackets)
        {
            if (first != ':')
                return DurationWord() ?? Fail($"unexpected character: {GoText.QuoteRune(first)}, expected ':'");
            if (_hasColon)
                return Fail("unexpected colon ':'");
            _hasColon = true;
            return Emit(TokenKind.Colon);
        }
        while (IsAlphaNumeric(Peek()) || Peek() == ':')
            _at++;
        var (kind, op) = Keywords.Of(text.AsSpan(_start, _at - _start));
        return Emit(kind, op);
    }

    /// <summary>One of the words that may stand in the arithmetic of durations, or null.</summary>
    private Token? DurationWord()
    {
        var end = _at;
        while (end < text.Length && IsAlphaNumeric(text[end]))
            end++;
        var word = text.AsSpan(_start, end - _start);
        TokenKind? kind = word.Equals("step", StringComparison.OrdinalIgnoreCase) ? TokenKind.Step
            : word.Equals("range", StringComparison.OrdinalIgnoreCase) ? TokenKind.Range
            : word.Equals("min", StringComparison.OrdinalIgnoreCase) || word.Equals("max", StringComparison.OrdinalIgnoreCase) ? TokenKind.Aggregator
            : null;
        if (kind is not { } known)
            return null;
        if (known is TokenKind.Step or TokenKind.Range)
            _hasDuration = true;
        _at = end;
        return Emit(known, known == TokenKind.Aggregator ? Keywords.Of(word).Op : 0);
    }

    private Token NumberOrDuration()
    {
        _at = _start;
        if (_inBrackets)
            (_beforeDuration, _hasDuration) = (false, true);
        if (NumberScan.TryNumber(text, ref _at))
            return Emit(TokenKind.Number);
        return NumberScan.TryRestOfDuration(text, ref _at) ? Emit(TokenKind.Duration) : Fail($"bad number or duration syntax: {GoText.Quote(text[_start.._at])}");
    }

    private Token Raw()
    {
        while (true)
            switch (Take())
            {
                case EndOfText:
                    return Fail("unterminated raw string");
                case '`':
                    return Emit(TokenKind.String);
            }
    }

    private Token Quoted(int quote)
    {
        while (true)
        {
            var c = Take();
            if (c == quote)
                return Emit(TokenKind.String);
            if (c is EndOfText or '\n')
                return Fail("unterminated quoted string");
            if (c == '\\' && EscapeProblem(quote) is { } problem)
                return Fail(problem);
        }
    }

    private string? EscapeProblem(int quote)
    {
        var c = Take();
        if (c == quote || c is 'a' or 'b' or 'f' or 'n' or 'r' or 't' or 'v' or '\\')
            return null;
        var (count, numberBase, most) = c switch
        {
            >= '0' and <= '7' => (3, 8, 255u),
            'x' => (2, 16, 255u),
            'u' => (4, 16, 0x10FFFFu),
            'U' => (8, 16, 0x10FFFFu),
            _ => (0, 0, 0u),
        };
        if (count == 0)
            return c == EndOfText ? "escape sequence not terminated" : "unknown escape sequence " + GoText.CodePoint(c);
        if (numberBase == 16)
            c = Take();
        uint value = 0;
        for (; count > 0; count--)
        {
            var digit = GoText.HexValue(c);
            if (digit >= numberBase)
                return c == EndOfText ? "escape sequence not terminated" : $"illegal character {GoText.CodePoint(c)} in escape sequence";
            value = (uint)((value * numberBase) + digit);
            if (count > 1)
                c = Take();
        }
        return value > most || value is >= 0xD800 and < 0xE000 ? "escape sequence is an invalid Unicode code point" : null;
    }

    private void SkipBlanksAndComments()
    {
        while (_at < text.Length)
        {
            if (text[_at] == '#' && !_beforeDuration)
                while (_at < text.Length && text[_at] is not ('\n' or '\r'))
                    _at++;
            else if (IsBlank(text[_at]))
                _at++;
            else
                break;
        }
    }

    private Token Emit(TokenKind kind, int op = 0) => new(kind, _start, _at, op);

    private Token Fail(string error)
    {
        _error = error;
        return new(TokenKind.Error, _start, text.Length);
    }

    /// <summary>The next character, one of beyond U+FFFF whole; -1 at the end.</summary>
    private int Take()
    {
        if (_at == text.Length)
            return EndOfText;
        if (Rune.TryGetRuneAt(text, _at, out var rune))
        {
            _at += rune.Utf16SequenceLength;
            return rune.Value;
        }
        _at++;
        return Rune.ReplacementChar.Value;
    }

    private int Peek() => _at == text.Length ? EndOfText : Rune.TryGetRuneAt(text, _at, out var rune) ? rune.Value : Rune.ReplacementChar.Value;

    private bool Accept(char c)
    {
        if (_at == text.Length || text[_at] != c)
            return false;
        _at++;
        return true;
    }

    private static bool IsBlank(int c) => c is ' ' or '\t' or '\n' or '\r';

    private static bool IsDigit(int c) => c is >= '0' and <= '9';

    private static bool IsAlpha(int c) => c is '_' or (>= 'a' and <= 'z') or (>= 'A' and <= 'Z');

    private static bool IsAlphaNumeric(int c) => IsAlpha(c) || IsDigit(c);
}
