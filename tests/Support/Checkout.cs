namespace Groundcrew.Tests.Support;

/// <summary>The source tree that the tests were built from, which they run inside.</summary>
public static class Checkout
{
    /// <summary>The folder that holds the solution.</summary>
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Groundcrew.slnx")))
                return folder.FullName;
        throw new InvalidOperationException("The tests run outside the source tree.");
    }
}
