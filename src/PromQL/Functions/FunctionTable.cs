namespace Groundcrew.PromQL.Evaluation;

/// <summary>All functions of the language by name. Thread-safe.</summary>
internal static class FunctionTable
{
    /// <summary>The function of this name, or null.</summary>
    public static Function? Find(string name) => throw new NotSupportedException("Comes with its branch.");
}
