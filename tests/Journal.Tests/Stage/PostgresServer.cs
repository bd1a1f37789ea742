using System.Diagnostics;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

[assembly: AssemblyFixture(typeof(Groundcrew.Journal.Tests.PostgresServer))]

namespace Groundcrew.Journal.Tests;

/// <summary>A real PostgreSQL 15 of this test run: Debian's programs, a temporary folder, a free port, ended by its id.</summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private const string Programs = "/usr/lib/postgresql/15/bin";
    private readonly string _folder = Directory.CreateTempSubdirectory("gc-pg-").FullName;
    private readonly int _port = FreePort.Next();
    private Process? _server;
    private int _databases;

    public async ValueTask InitializeAsync()
    {
        File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute | UnixFileMode.OtherRead);
        if (Environment.IsPrivilegedProcess)
            await RunAsync("chown", "postgres", _folder);
        var data = Path.Combine(_folder, "data");
        await RunAsync([.. AsPostgres(), $"{Programs}/initdb", "--no-sync", "--auth=trust", "--username=postgres", "--locale=C.UTF-8", "--encoding=UTF8", "-D", data]);
        // exec through setpriv keeps the pid ours, so that the server can be ended by its id.
        _server = Start([.. AsPostgres(), $"{Programs}/postgres", "-D", data, "-p", $"{_port}", "-c", "listen_addresses=127.0.0.1",
            "-c", $"unix_socket_directories={_folder}", "-c", "max_connections=300", "-c", "shared_buffers=64MB"]);
        await Eventually.TrueAsync(CanConnectAsync, "PostgreSQL takes connections");
    }

    /// <summary>A new, empty database.</summary>
    public async Task<Secret> NewDatabaseAsync()
    {
        var name = $"test_{Interlocked.Increment(ref _databases)}";
        await using var connection = new NpgsqlConnection(ConnectionTo("postgres"));
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = $"CREATE DATABASE {name}";
        await command.ExecuteNonQueryAsync();
        return new Secret($"postgres://postgres@127.0.0.1:{_port}/{name}?Maximum%20Pool%20Size=40");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is { HasExited: false })
        {
            // SIGQUIT is PostgreSQL's immediate shutdown: its children end with it.
            await RunAsync("kill", "-QUIT", $"{_server.Id}");
            await _server.WaitForExitAsync();
        }
        _server?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string ConnectionTo(string database) => $"Host=127.0.0.1;Port={_port};Username=postgres;Database={database};Pooling=false";

    private async Task<bool> CanConnectAsync()
    {
        if (_server!.HasExited)
            throw new InvalidOperationException($"PostgreSQL ended with {_server.ExitCode}.");
        try
        {
            await using var connection = new NpgsqlConnection(ConnectionTo("postgres"));
            await connection.OpenAsync();
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private static string[] AsPostgres() =>
        Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : ["env"];

    private static Process Start(params string[] words)
    {
        var start = new ProcessStartInfo(words[0]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = "/" };
        foreach (var word in words.Skip(1))
            start.ArgumentList.Add(word);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static async Task RunAsync(params string[] words)
    {
        using var process = Start(words);
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', words)} ended with {process.ExitCode}.");
    }
}
