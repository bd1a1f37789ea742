using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What a program came to.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">The end of what it wrote.</param>
/// <param name="Errors">The end of what it complained about.</param>
internal sealed record ToolResult(int ExitCode, string Output, string Errors)
{
    /// <summary>What it said about its failure, for people.</summary>
    public string Words => (Errors.Length > 0 ? Errors : Output).Trim();
}

/// <summary>The programs of one major version of PostgreSQL, and the user that they run as. Immutable.</summary>
internal sealed class PgBinaries
{
    private const int MostKept = 256 * 1024;
    private readonly string _folder;

    private PgBinaries(int version, string folder, ServerUser user) => (Version, _folder, User) = (version, folder, user);

    /// <summary>Whether any version is installed from a package.</summary>
    public static bool IsInstalled => Directory.Exists("/usr/lib/postgresql");

    /// <summary>The major version.</summary>
    public int Version { get; }

    /// <summary>The user that servers and tools run as.</summary>
    public ServerUser User { get; }

    /// <summary>Finds a version in the usual places (<c>/usr/lib/postgresql/15/bin</c>); null when it is not installed.</summary>
    /// <exception cref="JobFailedException">We are root and there is no user <c>postgres</c>.</exception>
    public static PgBinaries? Find(int version) =>
        new[] { $"/usr/lib/postgresql/{version}/bin", $"/usr/pgsql-{version}/bin", $"/usr/local/pgsql-{version}/bin" }
            .Where(f => File.Exists(Path.Combine(f, "postgres")) && File.Exists(Path.Combine(f, "initdb")))
            .Select(f => new PgBinaries(version, f, ServerUser.Find()))
            .FirstOrDefault();

    /// <summary>The path of one program.</summary>
    public string PathOf(string program) => Path.Combine(_folder, program);

    /// <summary>
    /// Starts a program as the server's user, with its three streams to us, nothing of our environment, and <c>/</c> as its
    /// folder. Secrets go by <paramref name="environment"/> or by files, never by arguments, which every user can read.
    /// </summary>
    /// <param name="program">Its name, or a whole path for one that is not PostgreSQL's.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">Variables beside the few that every program gets.</param>
    /// <exception cref="IOException">It cannot be started.</exception>
    public Process Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null) =>
        Launch(Prepare(program, arguments, environment));

    /// <summary>
    /// Runs a program to its end as the server's user. What it writes is read while it runs, and the last
    /// 256 KiB of each stream are kept. Cancelling kills it and what it started.
    /// </summary>
    public async Task<ToolResult> RunAsync(
        string program, IEnumerable<string> arguments, CancellationToken cancellation, IReadOnlyDictionary<string, string>? environment = null)
    {
        using var process = Start(program, arguments, environment);
        process.StandardInput.Close();
        var (output, errors) = (EndOfAsync(process.StandardOutput), EndOfAsync(process.StandardError));
        try
        {
            await process.WaitForExitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            throw;
        }
        return new(process.ExitCode, await output, await errors);
    }

    /// <summary>The same, and any exit code but 0 is a failure.</summary>
    /// <exception cref="JobFailedException">It failed; the message has its own words.</exception>
    public async Task<ToolResult> MustRunAsync(
        string program, IEnumerable<string> arguments, CancellationToken cancellation, IReadOnlyDictionary<string, string>? environment = null)
    {
        var result = await RunAsync(program, arguments, cancellation, environment);
        return result.ExitCode == 0 ? result : throw new JobFailedException($"{Path.GetFileName(program)} failed with code {result.ExitCode}: {ServerLog.Explain(result.Words)}");
    }

    /// <summary>
    /// Starts a program so that it outlives us: a session of its own, no terminal, its output appended to a file. The chain
    /// <c>setsid → sh → program</c> replaces itself by exec, so that the pid is the program's own.
    /// </summary>
    internal Process StartDetached(string program, IEnumerable<string> arguments, string outputFile)
    {
        const string script = """umask 077; exec </dev/null >>"$1" 2>&1 || exit 125; shift; exec "$@" """;
        var start = Prepare("/usr/bin/setsid", ["/bin/sh", "-c", script, "crew-postgres", outputFile, PathOf(program), .. arguments], null);
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = false;
        return Launch(start);
    }

    private ProcessStartInfo Prepare(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo(program.Contains('/') ? program : PathOf(program), arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        if (User.Switch)
            start.UserName = User.Name;
        start.Environment.Clear();
        start.Environment["PATH"] = _folder + ":/usr/bin:/bin";
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment["TZ"] = "UTC";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return start;
    }

    private static Process Launch(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start) ?? throw new IOException($"'{start.FileName}' was not started.");
        }
        catch (Win32Exception e)
        {
            throw new IOException($"'{start.FileName}' cannot be started: {e.Message}", e);
        }
    }

    private static async Task<string> EndOfAsync(StreamReader reader)
    {
        var kept = new StringBuilder();
        var buffer = new char[8192];
        while (await reader.ReadAsync(buffer) is var count and > 0)
        {
            kept.Append(buffer, 0, count);
            if (kept.Length > 2 * MostKept)
                kept.Remove(0, kept.Length - MostKept);
        }
        return kept.Length > MostKept ? kept.ToString(kept.Length - MostKept, MostKept) : kept.ToString();
    }
}
