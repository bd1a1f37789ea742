using System.ComponentModel;
using System.Diagnostics;

namespace Groundcrew.Cli.Packing;

/// <summary>Runs what a deploy needs of other programs: the build line, and git.</summary>
internal static class Shell
{
    /// <summary>Runs a line in a folder and hands on each line that it says, on either stream. Returns its exit code.</summary>
    public static async Task<int> RunAsync(string line, string folder, Action<string> said, CancellationToken cancellation)
    {
        using var process = Start("/bin/sh", ["-c", line], folder);
        var turn = new Lock();
        void Say(string text)
        {
            lock (turn)
                said(text);
        }
        try
        {
            await Task.WhenAll(
                PumpAsync(process.StandardOutput, Say, cancellation), PumpAsync(process.StandardError, Say, cancellation), process.WaitForExitAsync(cancellation));
            return process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>What git says of a folder; null without git, outside of a repository, or before the first commit.</summary>
    public static async Task<string?> GitAsync(string folder, CancellationToken cancellation, params string[] args)
    {
        try
        {
            using var process = Start("git", ["-C", folder, .. args], folder);
            var words = process.StandardError.ReadToEndAsync(cancellation);
            var answer = await process.StandardOutput.ReadToEndAsync(cancellation);
            await words;
            await process.WaitForExitAsync(cancellation);
            return process.ExitCode == 0 && answer.Trim() is { Length: > 0 } text ? text : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    private static Process Start(string program, IEnumerable<string> args, string folder)
    {
        var start = new ProcessStartInfo(program)
        {
            WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        foreach (var arg in args)
            start.ArgumentList.Add(arg);
        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }

    private static async Task PumpAsync(StreamReader reader, Action<string> said, CancellationToken cancellation)
    {
        while (await reader.ReadLineAsync(cancellation) is { } line)
            said(line);
    }
}
