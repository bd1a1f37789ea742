using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary>Files that a test compares with what the product makes. With UPDATE_GOLDEN=1 it writes them instead; the diff is then reviewed.</summary>
internal static class Golden
{
    public static void Screen(string name, string made) => Check($"tests/Cli.Tests/golden/{name}.txt", made);

    public static void Check(string path, string made)
    {
        var full = Path.Combine(Checkout.Root, path);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.WriteAllText(full, made);
        }
        var kept = File.Exists(full) ? File.ReadAllText(full) : "";
        Assert.True(kept == made, $"{path} differs from what is made now. Run this test with UPDATE_GOLDEN=1 and review the diff.\n{made}");
    }
}
