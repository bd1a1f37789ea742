using Xunit;

namespace Groundcrew.Shape.Tests;

/// <summary>Says every finding in full, one a line.</summary>
internal static class Expect
{
    public static void Nothing(string rule, IEnumerable<string?> findings)
    {
        var all = findings.ToList();
        Assert.True(all.Count == 0, $"{rule}\n{string.Join('\n', all)}");
    }
}
