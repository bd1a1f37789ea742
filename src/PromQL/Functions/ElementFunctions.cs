namespace Groundcrew.PromQL.Evaluation;

/// <summary>The functions of one float.</summary>
internal static class ElementFunctions
{
    /// <summary>All of them.</summary>
    public static IEnumerable<Function> All =>
    [
        Of("abs", Math.Abs), Of("ceil", Math.Ceiling), Of("floor", Math.Floor), Of("exp", Math.Exp), Of("sqrt", Math.Sqrt),
        Of("ln", Math.Log), Of("log2", Math.Log2), Of("log10", Math.Log10),
        Of("sin", Math.Sin), Of("cos", Math.Cos), Of("tan", Math.Tan), Of("asin", Math.Asin), Of("acos", Math.Acos), Of("atan", Math.Atan),
        Of("sinh", Math.Sinh), Of("cosh", Math.Cosh), Of("tanh", Math.Tanh), Of("asinh", Math.Asinh), Of("acosh", Math.Acosh), Of("atanh", Math.Atanh),
        Of("rad", static degrees => degrees * Math.PI / 180), Of("deg", static radians => radians * 180 / Math.PI),
        // The sign of NaN is NaN, and that of -0 is -0.
        Of("sgn", static value => value < 0 ? -1 : value > 0 ? 1 : value),
    ];

    private static ElementFunction Of(string name, Func<double, double> apply) => new(FunctionTable.SignatureOf(name), apply);
}
