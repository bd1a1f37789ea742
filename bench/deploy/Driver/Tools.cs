using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Groundcrew.Bench.Deploy;

/// <summary>What the figures share: processes, free ports, packages.</summary>
internal static class Tools
{
    public static async Task PauseAsync(int milliseconds, CancellationToken cancellation) =>
        await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System, cancellation);

    /// <summary>Runs a program to its end and gives what it printed; another code than 0 is an error with its words.</summary>
    public static async Task<string> RunAsync(string program, IEnumerable<string> words, IReadOnlyDictionary<string, string>? variables = null, bool mayFail = false)
    {
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var word in words)
            start.ArgumentList.Add(word);
        foreach (var (name, value) in variables ?? new Dictionary<string, string>(StringComparer.Ordinal))
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0 && !mayFail)
            throw new IOException($"{program} {string.Join(' ', start.ArgumentList)} ended with {process.ExitCode}: {output}{await errors}");
        return output.Trim();
    }

    /// <summary>Starts a program that stays, its words in a file.</summary>
    public static Process Start(string program, string log, IEnumerable<string> words, IReadOnlyDictionary<string, string>? variables = null)
    {
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false };
        foreach (var word in (string[])["-c", "log=$1; shift; exec \"$@\" </dev/null >>\"$log\" 2>&1", "sh", log, program, .. words])
            start.ArgumentList.Add(word);
        foreach (var (name, value) in variables ?? new Dictionary<string, string>(StringComparer.Ordinal))
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    public static void Signal(int pid, string signal)
    {
        using var kill = Process.Start("kill", ["-" + signal, pid.ToString()]);
        kill.WaitForExit();
    }

    /// <summary>Free ports below those of outgoing connections, which may take the port of a role that is restarted.</summary>
    public static int[] FreePorts(int count) =>
        [.. Enumerable.Range(10_000, 10_000).OrderBy(_ => Random.Shared.Next()).Where(IsFree).Take(count)];

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>The service's folder as a package, with its version in it.</summary>
    public static (byte[] Bytes, string Digest) Package(string folder, int version)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip))
        {
            foreach (var file in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
                tar.WriteEntry(file, Path.GetFileName(file));
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "version") { DataStream = new MemoryStream(Encoding.ASCII.GetBytes($"v{version}")) });
        }
        var bytes = packed.ToArray();
        return (bytes, "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes)));
    }

    /// <summary>Kilobytes of one line of <c>/proc/PID/smaps_rollup</c>.</summary>
    public static long Kilobytes(int pid, string name) =>
        long.Parse(File.ReadLines($"/proc/{pid}/smaps_rollup").First(l => l.StartsWith(name + ":", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
}
