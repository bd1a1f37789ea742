using System.Text.Encodings.Web;
using System.Text.Json;
using Groundcrew.Bench.Deploy;
using Groundcrew.PromQL.Tests.Differential;

namespace Groundcrew.Bench.Metrics;

/// <summary>Random queries over random data, asked of the real Prometheus and of us, a world after the other.</summary>
internal static class Differential
{
    private const int QueriesOfSeed = 5000;
    private static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Prints each disagreement and the counts; the exit code is 1 when there is one.</summary>
    public static async Task<int> RunAsync(Options options, CancellationToken cancellation)
    {
        var (asked, answered, differences) = (0, 0, new List<string>());
        try
        {
            for (var seed = options.Seed; seed < options.Seed + options.Seeds; seed++)
            {
                var folder = Directory.CreateTempSubdirectory("metrics-differential-").FullName;
                try
                {
                    var report = await Comparison.RunAsync(folder, Tools.FreePorts(1)[0], seed, QueriesOfSeed, cancellation);
                    (asked, answered) = (asked + report.Asked, answered + report.Answered);
                    foreach (var difference in report.Differences)
                    {
                        differences.Add($"seed {seed}: {difference}");
                        await Console.Error.WriteLineAsync(differences[^1]);
                    }
                    await Console.Error.WriteLineAsync($"seed {seed}: {report.Asked} queries, {report.Answered} with an answer, {report.Asked - report.Differences.Count} agree");
                }
                finally
                {
                    Directory.Delete(folder, recursive: true);
                }
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return 130;
        }
        await Console.Error.WriteLineAsync($"{asked} queries, {answered} with an answer, {asked - differences.Count} agree, {differences.Count} do not");
        var text = JsonSerializer.Serialize(new { Seeds = options.Seeds, Queries = asked, Answered = answered, Agree = asked - differences.Count, Disagreements = differences }, Form);
        if (options.Out is { } file)
            await File.WriteAllTextAsync(file, text + "\n", CancellationToken.None);
        else
            await Console.Out.WriteLineAsync(text);
        return differences.Count == 0 ? 0 : 1;
    }
}
