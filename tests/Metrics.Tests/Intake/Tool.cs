using System.Diagnostics;

namespace Groundcrew.Metrics.Tests.Intake;

/// <summary>Runs a program of the machine to its end.</summary>
internal static class Tool
{
    public static async Task<(int Code, string Says)> RunAsync(string program, string[] arguments, byte[]? input = null)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.BaseStream.WriteAsync(input ?? []);
        process.StandardInput.Close();
        var says = await output + await errors;
        await process.WaitForExitAsync();
        return (process.ExitCode, says.Trim());
    }
}
