using System.Diagnostics;
using Groundcrew.Tests.Support;

namespace Groundcrew.Journeys.Stage;

/// <summary>How one command ended.</summary>
public sealed record Ran(int Code, string Out, string Error)
{
    public string All => $"exit code {Code}\n{Out}{Error}";
}

/// <summary>The real program, as a user has it.</summary>
public static class CrewProgram
{
    /// <summary>The folder of the repository.</summary>
    public static string Repository => Checkout.Root;

    /// <summary>What <c>./crew</c> built when that is the newest, else what the build of these tests built.</summary>
    public static string File { get; } = FindProgram();

    public static Task<Ran> RunAsync(params string[] words) => RunAsync(File, words);

    public static async Task<Ran> RunAsync(string program, IReadOnlyList<string> words, string? input = null)
    {
        using var process = Start(program, words);
        // Both at once: a full pipe would stop the program.
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(4));
        return new Ran(process.ExitCode, await output, await error);
    }

    public static Process Start(string program, IReadOnlyList<string> words)
    {
        var start = new ProcessStartInfo(program, words)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("CREW_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        return Process.Start(start) ?? throw new IOException($"{program} does not start.");
    }

    private static string FindProgram()
    {
        // Not the copy beside the tests: what the program loads of this machine's own lies only beside the original.
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        var plain = Path.Combine(Repository, "src", "Daemon", "bin", configuration, "net10.0", "crew");
        var link = Path.Combine(Repository, ".build", "crew");
        if (!Directory.Exists(link) || Directory.ResolveLinkTarget(link, returnFinalTarget: true) is not { } built)
            return plain;
        return WrittenAt(Path.Combine(built.FullName, "crew")) >= WrittenAt(plain) ? Path.Combine(built.FullName, "crew") : plain;
    }

    private static DateTime WrittenAt(string program) => System.IO.File.GetLastWriteTimeUtc(program + ".dll");
}
