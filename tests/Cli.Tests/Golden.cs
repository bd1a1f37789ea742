using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary>Files that a test compares with what the product makes. With UPDATE_GOLDEN=1 it writes them instead; the diff is then reviewed.</summary>
internal static class Golden
{
    public static string Root { get; } = FindRoot();

    public static void Screen(string name, string made) => Check($"tests/Cli.Tests/golden/{name}.txt", made);

    public static void Check(string path, string made)
    {
        var full = Path.Combine(Root, path);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.WriteAllText(full, made);
        }
        var kept = File.Exists(full) ? File.ReadAllText(full) : "";
        Assert.True(kept == made, $"{path} differs from what is made now. Run this test with UPDATE_GOLDEN=1 and review the diff.\n{made}");
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Groundcrew.slnx")))
                return folder.FullName;
        throw new InvalidOperationException("The tests run outside the source tree.");
    }
}
