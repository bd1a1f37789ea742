using System.Diagnostics;
using System.Text;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Programs of PostgreSQL through which a backup is streamed, and what they need to find a server.</summary>
internal static class PgTool
{
    private const int MostKept = 32 * 1024 * 1024;

    /// <summary>The arguments that lead to a database of a server of this node, as its superuser over the socket.</summary>
    public static IEnumerable<string> Way(PgServer server, string? database = null) =>
    [
        "--host", server.Options.SocketFolder, "--port", server.Options.Port.ToString(), "--username", PgServer.Superuser, "--no-password",
        // As a name in quotes, since a name that looks like a connection string would be taken for one.
        .. database is null ? Array.Empty<string>() : ["--dbname", $"dbname='{database.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'"],
    ];

    /// <summary>Runs a program and reads what it writes while it does. When reading fails or is cancelled, the program is killed.</summary>
    public static async Task<ToolResult> ReadAsync(
        PgBinaries binaries, string program, IEnumerable<string> arguments, Func<Stream, Task> read, CancellationToken cancellation)
    {
        using var process = binaries.Start(program, arguments);
        process.StandardInput.Close();
        return await AttendAsync(process, Task.FromResult(""), () => read(process.StandardOutput.BaseStream), cancellation);
    }

    /// <summary>
    /// Runs a program and writes to it what it reads. A program that has read enough may close its input. When writing fails or is
    /// cancelled, the program is killed.
    /// </summary>
    public static async Task<ToolResult> FeedAsync(
        PgBinaries binaries, string program, IEnumerable<string> arguments, Stream input, Action<long>? fed, CancellationToken cancellation)
    {
        using var process = binaries.Start(program, arguments);
        return await AttendAsync(process, TextAsync(process.StandardOutput), async () =>
        {
            await using var to = process.StandardInput.BaseStream;
            var buffer = new byte[256 * 1024];
            while (await input.ReadAsync(buffer, cancellation) is var count and > 0)
            {
                try
                {
                    await to.WriteAsync(buffer.AsMemory(0, count), cancellation);
                }
                catch (IOException)
                {
                    // The program is done with its input; its exit code says whether that is good.
                    return;
                }
                fed?.Invoke(count);
            }
        }, cancellation);
    }

    private static async Task<ToolResult> AttendAsync(Process process, Task<string> output, Func<Task> stream, CancellationToken cancellation)
    {
        var errors = TextAsync(process.StandardError);
        try
        {
            await stream();
            await process.WaitForExitAsync(cancellation);
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            throw;
        }
        return new(process.ExitCode, await output, await errors);
    }

    /// <summary>All of a text up to a size that no honest one has; what lies behind it is read and left out, so that the program goes on.</summary>
    private static async Task<string> TextAsync(StreamReader reader)
    {
        var text = new StringBuilder();
        var buffer = new char[16 * 1024];
        while (await reader.ReadAsync(buffer) is var count and > 0)
            if (text.Length < MostKept)
                text.Append(buffer, 0, count);
        return text.ToString();
    }
}
