using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Tests.Syntax;

/// <summary>Seeded random expressions that are well typed.</summary>
internal sealed class RandomExpr(int seed)
{
    private static readonly string[] Names = ["foo", "bar:baz", "sum", "by", "offset", "and", "start", "anchored", "_x"];
    private static readonly string[] LabelNames = ["a", "job", "le", "by", "sum", "on", "bool", "a.b", "é", "without", "inf", "x y", "quote\"d"];
    private static readonly string[] Values = ["", "x", "a\"b", "tab\t", "é😀", "\\", "{}", "\0"];
    private static readonly string[] Regexps = [".+", "a|b", "x.*", "[0-9]+"];
    private readonly Random _random = new(seed);

    public Expr Vector(int depth) => (depth <= 0 ? 0 : _random.Next(9)) switch
    {
        0 or 1 => Selector(),
        2 => new Call(FunctionSignatures.Find(Any(["rate", "sum_over_time", "last_over_time"]))!, [Matrix(depth - 1)], default),
        3 => new Call(FunctionSignatures.Find(Any(["abs", "sort", "hour", "timestamp"]))!, [Vector(depth - 1)], default),
        4 => Aggregation(depth - 1),
        5 => new Unary(_random.Next(2) == 0, new Paren(Vector(depth - 1), default), default),
        6 => new Paren(Vector(depth - 1), default),
        _ => Operator(depth - 1),
    };

    private Expr Matrix(int depth) => depth > 0 && _random.Next(3) == 0
        ? new Subquery(new Paren(Vector(depth - 1), default), Duration(), _random.Next(2) == 0 ? 0 : Duration(), Offset(), At(), default)
        : new MatrixSelector(Selector(), Duration(), default);

    private VectorSelector Selector()
    {
        var name = _random.Next(4) == 0 ? "" : Any(Names);
        var matchers = Enumerable.Range(0, _random.Next(3)).Select(_ => Matcher()).ToList();
        if (name.Length == 0)
            matchers.Add(new(MatchKind.Equal, Any(["__name__", "z"]), "some.name"));
        else
            matchers.Add(new(MatchKind.Equal, Labels.MetricName, name));
        return new(name, [.. matchers.Distinct()], Offset(), At(), default);
    }

    private LabelMatcherText Matcher()
    {
        var kind = (MatchKind)_random.Next(4);
        return new(kind, Any(LabelNames), kind is MatchKind.Regexp or MatchKind.NotRegexp ? Any(Regexps) : Any(Values));
    }

    private Aggregate Aggregation(int depth)
    {
        var op = (AggregateOp)_random.Next(14);
        Expr? parameter = op switch
        {
            AggregateOp.CountValues => new StringLiteral(Any(["v", "a\"b"]), default),
            AggregateOp.TopK or AggregateOp.BottomK or AggregateOp.Quantile or AggregateOp.LimitK or AggregateOp.LimitRatio => Number(),
            _ => null,
        };
        var grouping = Grouping();
        return new(op, Vector(depth), parameter, grouping, grouping.Count > 0 && _random.Next(2) == 0, default);
    }

    private Binary Operator(int depth)
    {
        var op = (BinaryOp)_random.Next(16);
        var set = op is BinaryOp.And or BinaryOp.Or or BinaryOp.Unless;
        var compares = op is >= BinaryOp.Equal and <= BinaryOp.LessOrEqual;
        Expr left = new Paren(Vector(depth), default);
        if (!set && _random.Next(3) == 0)
            return new(op, left, Number(), null, compares && _random.Next(2) == 0, default);
        var labels = Grouping();
        var cardinality = set ? MatchCardinality.ManyToMany : labels.Count > 0 ? (MatchCardinality)_random.Next(3) : MatchCardinality.OneToOne;
        var include = cardinality is MatchCardinality.ManyToOne or MatchCardinality.OneToMany ? Grouping() : [];
        var on = labels.Count > 0 && !labels.Any(include.Contains) && _random.Next(2) == 0;
        return new(op, left, new Paren(Vector(depth), default), new(cardinality, labels, on, include), compares && _random.Next(2) == 0, default);
    }

    private NumberLiteral Number() => _random.Next(4) switch
    {
        0 => new(_random.Next(-5, 100), default),
        1 => new(_random.NextDouble() * Math.Pow(10, _random.Next(-20, 20)), default),
        2 => new(Duration() / 1000.0, default, IsDuration: true),
        _ => new(Any([double.PositiveInfinity, double.NegativeInfinity, 0.1, 1e300, 5e-324]), default),
    };

    private EquatableList<string> Grouping() => [.. Enumerable.Range(0, _random.Next(3)).Select(_ => Any(LabelNames)).Distinct()];

    private long Duration() => _random.Next(3) switch { 0 => 1000 * _random.Next(1, 100_000), 1 => _random.Next(1, 100_000), _ => 86_400_000L * _random.Next(1, 800) };

    private long Offset() => _random.Next(3) == 0 ? (_random.Next(2) == 0 ? -1 : 1) * Duration() : 0;

    private AtModifier? At() => _random.Next(6) switch { 0 => new(AtAnchor.Start), 1 => new(AtAnchor.End), 2 => new(AtAnchor.Time, _random.NextInt64(-10_000_000_000_000, 10_000_000_000_000)), _ => null };

    private T Any<T>(T[] of) => of[_random.Next(of.Length)];
}
