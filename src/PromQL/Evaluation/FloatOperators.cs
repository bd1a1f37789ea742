namespace Groundcrew.PromQL.Evaluation;

/// <summary>What an operator makes of two floats; the mark of absence when it keeps nothing.</summary>
internal interface IFloatOperator
{
    static abstract double Apply(double left, double right);
}

/// <summary>What a comparison says of two floats.</summary>
internal interface IComparison
{
    static abstract bool Holds(double left, double right);
}

/// <summary>Applies an operator at every step at which both sides have a float; <paramref name="to"/> may be one of the sides.</summary>
internal delegate void FloatLoop(ReadOnlySpan<double> left, ReadOnlySpan<double> right, Span<double> to);

/// <summary>The operators on floats, each as one loop over columns that the compiler specialises.</summary>
internal static class FloatOperators
{
    /// <summary>
    /// The loop for an operator. A comparison keeps the left side's value (the right one's when <paramref name="keepRight"/>), or
    /// gives 0 and 1 when <paramref name="returnBool"/>.
    /// </summary>
    public static FloatLoop Choose(BinaryOp op, bool returnBool, bool keepRight) => op switch
    {
        BinaryOp.Add => Run<Add>,
        BinaryOp.Sub => Run<Sub>,
        BinaryOp.Mul => Run<Mul>,
        BinaryOp.Div => Run<Div>,
        BinaryOp.Mod => Run<Mod>,
        BinaryOp.Pow => Run<Pow>,
        BinaryOp.Atan2 => Run<Atan2>,
        BinaryOp.Equal => Comparison<Equal>(returnBool, keepRight),
        BinaryOp.NotEqual => Comparison<NotEqual>(returnBool, keepRight),
        BinaryOp.Greater => Comparison<Greater>(returnBool, keepRight),
        BinaryOp.Less => Comparison<Less>(returnBool, keepRight),
        BinaryOp.GreaterOrEqual => Comparison<GreaterOrEqual>(returnBool, keepRight),
        BinaryOp.LessOrEqual => Comparison<LessOrEqual>(returnBool, keepRight),
        BinaryOp.TrimUpper or BinaryOp.TrimLower => Run<Trim>,
        _ => throw new ArgumentOutOfRangeException(nameof(op), op, "A set operator has no float loop."),
    };

    /// <summary>Whether an operator compares.</summary>
    public static bool IsComparison(BinaryOp op) => op is >= BinaryOp.Equal and <= BinaryOp.LessOrEqual;

    /// <summary>Whether an operator takes observations out of histograms.</summary>
    public static bool IsTrim(BinaryOp op) => op is BinaryOp.TrimUpper or BinaryOp.TrimLower;

    /// <summary>Whether the result is still the metric that the left side was.</summary>
    public static bool KeepsName(BinaryOp op) => IsComparison(op) || IsTrim(op);

    private static FloatLoop Comparison<T>(bool returnBool, bool keepRight)
        where T : struct, IComparison => returnBool ? Run<ZeroOrOne<T>> : keepRight ? Run<KeepRight<T>> : Run<KeepLeft<T>>;

    private static void Run<T>(ReadOnlySpan<double> left, ReadOnlySpan<double> right, Span<double> to)
        where T : struct, IFloatOperator
    {
        right = right[..left.Length];
        to = to[..left.Length];
        for (var step = 0; step < left.Length; step++)
        {
            double l = left[step], r = right[step];
            to[step] = Absent.Is(l) || Absent.Is(r) ? Absent.Value : T.Apply(l, r);
        }
    }

    private readonly struct Add : IFloatOperator
    {
        public static double Apply(double left, double right) => left + right;
    }

    private readonly struct Sub : IFloatOperator
    {
        public static double Apply(double left, double right) => left - right;
    }

    private readonly struct Mul : IFloatOperator
    {
        public static double Apply(double left, double right) => left * right;
    }

    private readonly struct Div : IFloatOperator
    {
        public static double Apply(double left, double right) => left / right;
    }

    private readonly struct Mod : IFloatOperator
    {
        public static double Apply(double left, double right) => left % right;
    }

    private readonly struct Pow : IFloatOperator
    {
        public static double Apply(double left, double right) => Math.Pow(left, right);
    }

    private readonly struct Atan2 : IFloatOperator
    {
        public static double Apply(double left, double right) => Math.Atan2(left, right);
    }

    // Floats have no observations to trim: nothing is left, and the remark is made where the pair is known.
    private readonly struct Trim : IFloatOperator
    {
        public static double Apply(double left, double right) => Absent.Value;
    }

    private readonly struct Equal : IComparison
    {
        public static bool Holds(double left, double right) => left == right;
    }

    private readonly struct NotEqual : IComparison
    {
        public static bool Holds(double left, double right) => left != right;
    }

    private readonly struct Greater : IComparison
    {
        public static bool Holds(double left, double right) => left > right;
    }

    private readonly struct Less : IComparison
    {
        public static bool Holds(double left, double right) => left < right;
    }

    private readonly struct GreaterOrEqual : IComparison
    {
        public static bool Holds(double left, double right) => left >= right;
    }

    private readonly struct LessOrEqual : IComparison
    {
        public static bool Holds(double left, double right) => left <= right;
    }

    private readonly struct KeepLeft<T> : IFloatOperator
        where T : struct, IComparison
    {
        public static double Apply(double left, double right) => T.Holds(left, right) ? left : Absent.Value;
    }

    private readonly struct KeepRight<T> : IFloatOperator
        where T : struct, IComparison
    {
        public static double Apply(double left, double right) => T.Holds(left, right) ? right : Absent.Value;
    }

    private readonly struct ZeroOrOne<T> : IFloatOperator
        where T : struct, IComparison
    {
        public static double Apply(double left, double right) => T.Holds(left, right) ? 1 : 0;
    }
}
