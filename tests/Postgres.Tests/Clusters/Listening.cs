using System.Globalization;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>What listens on this machine, by the kernel's own tables.</summary>
internal static class Listening
{
    private const string Listens = "0A";

    /// <summary>The ports of TCP that somebody listens on, at any address.</summary>
    public static IReadOnlyList<int> Ports() => [.. Addresses().Select(a => a.Port).Distinct()];

    /// <summary>The addresses, as the kernel writes them, and ports.</summary>
    public static IReadOnlyList<(string Address, int Port)> Addresses() =>
    [
        .. new[] { "/proc/net/tcp", "/proc/net/tcp6" }.Where(File.Exists).SelectMany(File.ReadAllLines)
            .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(f => f.Length > 3 && f[3] == Listens)
            .Select(f => f[1].Split(':'))
            .Select(a => (a[0], int.Parse(a[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))),
    ];
}
