namespace Groundcrew.PromQL;

/// <summary>Expressions as text.</summary>
public static class ExprPrinter
{
    /// <summary>On one line, as Prometheus prints it.</summary>
    public static string Print(Expr expr) => throw new NotSupportedException("Comes with its branch.");
}
