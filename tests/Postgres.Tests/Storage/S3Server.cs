using System.Diagnostics;
using System.Net.Sockets;
using Groundcrew.Tests.Support;

namespace Groundcrew.Postgres.Tests.Storage;

/// <summary>A real S3 server (s3rver, which eng/setup brings) with one bucket, in a process that ends with the tests.</summary>
public sealed class S3Server : IDisposable
{
    public const string Bucket = "backups";
    public const string AccessKey = "S3RVER";
    public const string SecretKey = "S3RVER";

    private readonly TempFolder _folder = new();
    private readonly Process _process;

    public S3Server()
    {
        var program = Directory.GetDirectories(Path.Combine(FindRepository(), ".build"), "s3rver-*")
            .Select(folder => Path.Combine(folder, "node_modules", "s3rver", "bin", "s3rver.js")).FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException("The S3 server of these tests is missing. Run eng/setup.");
        Port = FreePort.Next();
        _process = Process.Start(new ProcessStartInfo("node",
            // Its continuation tokens are made with a cipher that OpenSSL has put aside.
            ["--openssl-legacy-provider", program, "-d", _folder.Path, "-a", "127.0.0.1", "-p", $"{Port}", "--silent", "--no-vhost-buckets", "--configure-bucket", Bucket])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Eventually.TrueAsync(Answers, $"s3rver answers on port {Port}").GetAwaiter().GetResult();
    }

    public int Port { get; }

    public string Endpoint => $"http://127.0.0.1:{Port}";

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        _folder.Dispose();
    }

    private bool Answers()
    {
        if (_process.HasExited)
            throw new IOException($"s3rver ended with {_process.ExitCode}.");
        try
        {
            using var client = new TcpClient("127.0.0.1", Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Groundcrew.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("These tests run from a folder of the repository.");
    }
}
