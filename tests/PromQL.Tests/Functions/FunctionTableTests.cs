using Groundcrew.PromQL.Evaluation;
using Xunit;

namespace Groundcrew.PromQL.Tests.Functions;

public sealed class FunctionTableTests
{
    // These need what only the engine has: the times of samples, and other series than those of the argument.
    private static readonly string[] OfTheEngine = ["info", "timestamp"];

    [Fact]
    public void Every_function_of_the_language_is_there_and_no_other()
    {
        var known = FunctionTable.Functions.Select(f => f.Signature.Name).Concat(OfTheEngine).Order(StringComparer.Ordinal);

        Assert.Equal(FunctionSignatures.All.Select(s => s.Name), known);
    }

    [Fact]
    public void A_function_has_the_signature_of_its_name()
    {
        foreach (var function in FunctionTable.Functions)
            Assert.Same(FunctionSignatures.Find(function.Signature.Name), function.Signature);
        Assert.Null(FunctionTable.Find("holt_winters"));
    }

    [Fact]
    public void A_function_takes_ranges_if_its_signature_says_so()
    {
        foreach (var function in FunctionTable.Functions)
            Assert.Equal(function.Signature.Arguments.Contains(ValueType.Matrix), function is RangeFunction);
    }
}
