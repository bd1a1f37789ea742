using System.Globalization;
using System.Text.RegularExpressions;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Edge;

/// <summary>Runs h2load: a few connections with many requests in flight on each.</summary>
internal static partial class H2Load
{
    private const int Connections = 16;
    private const int Streams = 32;

    /// <summary>Requests a second, and what went wrong: anything that is not a whole 2xx.</summary>
    public static Task<(double PerSecond, long Wrong)> RunAsync(Uri address, int seconds) =>
        RunAsync((2 * seconds) + 20, "-c", $"{Connections}", "-m", $"{Streams}", "-D", $"{seconds}", address.ToString());

    /// <summary>New connections a second, each with a full handshake and one request; h2load resumes no session.</summary>
    public static Task<(double PerSecond, long Wrong)> ConnectAsync(Uri address, int connections) =>
        RunAsync(60, "-c", $"{connections}", "-n", $"{connections}", "-m", "1", address.ToString());

    private static async Task<(double PerSecond, long Wrong)> RunAsync(int limit, params string[] words)
    {
        var output = await Tools.RunAsync("timeout", ["-k", "2", $"{limit}", "h2load", "-t", "2", .. words]);
        var rate = double.Parse(Rate().Match(output).Groups["rate"].Value, CultureInfo.InvariantCulture);
        var counts = Counts().Match(output);
        var statuses = Statuses().Match(output);
        if (!counts.Success || !statuses.Success)
            throw new InvalidDataException($"h2load said something that is not understood: {output}");
        long Sum(Match match, params string[] names) => names.Sum(n => long.Parse(match.Groups[n].Value, CultureInfo.InvariantCulture));
        return (rate, Sum(counts, "failed", "errored", "timeout") + Sum(statuses, "redirected", "client", "server"));
    }

    [GeneratedRegex(@"finished in [^,]+, (?<rate>[\d.]+) req/s", RegexOptions.ExplicitCapture)]
    private static partial Regex Rate();

    [GeneratedRegex(@"requests: .* (?<failed>\d+) failed, (?<errored>\d+) errored, (?<timeout>\d+) timeout", RegexOptions.ExplicitCapture)]
    private static partial Regex Counts();

    [GeneratedRegex(@"status codes: \d+ 2xx, (?<redirected>\d+) 3xx, (?<client>\d+) 4xx, (?<server>\d+) 5xx", RegexOptions.ExplicitCapture)]
    private static partial Regex Statuses();
}
