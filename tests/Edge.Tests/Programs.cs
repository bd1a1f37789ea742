using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>Programs that others wrote, run to their end.</summary>
internal static class Programs
{
    /// <summary>What a program writes to both outputs, whatever its exit code is.</summary>
    public static async Task<string> SayAsync(string input, string file, params string[] words)
    {
        var start = new ProcessStartInfo(file) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var word in words)
            start.ArgumentList.Add(word);
        using var process = Process.Start(start)!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Eventually.Limit);
        try
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
            try
            {
                await process.StandardInput.WriteAsync(input);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended before it read anything.
            }
            await process.WaitForExitAsync(limit.Token);
            return await output + await error;
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }
}

/// <summary>Clients of a TLS port that believe every certificate and tell which one they saw.</summary>
internal static class TlsClients
{
    /// <summary>A client that finds every host at a port of this machine.</summary>
    /// <param name="port">The port.</param>
    /// <param name="seen">Gets the serial number of the certificate of each handshake.</param>
    public static HttpClient At(int port, Action<string>? seen = null) => new(HandlerAt(port, seen)) { Timeout = Eventually.Limit };

    public static SocketsHttpHandler HandlerAt(int port, Action<string>? seen) => new()
    {
        UseCookies = false,
        UseProxy = false,
        PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
        SslOptions = Trusting(null, seen),
    };

    /// <summary>A handshake, ended by the caller.</summary>
    public static async Task<SslStream> OpenAsync(int port, string name, Action<string>? seen = null, params List<SslApplicationProtocol> protocols)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            var options = Trusting(name, seen);
            options.ApplicationProtocols = protocols.Count > 0 ? protocols : null;
            await tls.AuthenticateAsClientAsync(options, TestContext.Current.CancellationToken);
            return tls;
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    private static SslClientAuthenticationOptions Trusting(string? name, Action<string>? seen) => new()
    {
        TargetHost = name,
#pragma warning disable CA5359 // What is shown is what the test is about.
        RemoteCertificateValidationCallback = (_, certificate, _, _) =>
        {
            seen?.Invoke(certificate!.GetSerialNumberString());
            return true;
        },
#pragma warning restore CA5359
    };
}
