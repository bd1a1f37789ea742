using System.Collections.Frozen;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>All functions of the language by name, but for those that the engine evaluates itself. Thread-safe.</summary>
internal static class FunctionTable
{
    private static readonly FrozenDictionary<string, Function> All =
        new[] { ElementFunctions.All, RangeFunctions.All, VectorFunctions.All, HistogramFunctions.All }.SelectMany(f => f).ToFrozenDictionary(f => f.Signature.Name, StringComparer.Ordinal);

    /// <summary>The functions.</summary>
    public static IReadOnlyCollection<Function> Functions => All.Values;

    /// <summary>The function of this name, or null.</summary>
    public static Function? Find(string name) => All.GetValueOrDefault(name);

    /// <summary>What the function of this name takes and gives.</summary>
    public static FunctionSignature SignatureOf(string name) =>
        FunctionSignatures.Find(name) ?? throw new ArgumentException("There is no function of this name: " + name, nameof(name));
}
