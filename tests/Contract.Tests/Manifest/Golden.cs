using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Contract.Tests.Manifest;

/// <summary>Files that a test compares with what the product makes. With UPDATE_GOLDEN=1 it writes them instead; the diff is then reviewed.</summary>
internal static class Golden
{
    public static bool IsUpdate { get; } = Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1";

    public static string Corpus { get; } = Path.Combine(Checkout.Root, "tests/Contract.Tests/Manifest/corpus");

    public static void Check(string path, string made)
    {
        if (IsUpdate)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, made);
        }
        var kept = File.Exists(path) ? File.ReadAllText(path) : "";
        Assert.True(kept == made, $"{Path.GetRelativePath(Checkout.Root, path)} differs from what the types say. Run this test with UPDATE_GOLDEN=1 and review the diff.\n{made}");
    }
}
