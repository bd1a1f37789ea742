using System.Net.Sockets;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>Asks an instance whether it is well: one GET or one TCP connect. Null is well; else why not. Thread-safe.</summary>
internal sealed class Prober : IDisposable
{
    private readonly TimeProvider _clock;

    // A new connection each time: an old one says nothing about whether new ones are taken.
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.Zero,
        MaxResponseHeadersLength = 64,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    public Prober(TimeProvider clock)
    {
        _clock = clock;
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("groundcrew-probe");
    }

    /// <summary>Probes once; without a probe it connects only.</summary>
    public async Task<string?> AskAsync(int port, Probe? probe, CancellationToken cancellation)
    {
        var limit = probe?.Timeout ?? TimeSpan.FromSeconds(2);
        using var timer = new CancellationTokenSource(limit, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        var what = probe is null ? $"connecting to 127.0.0.1:{port}" : $"GET {probe.Path}";
        try
        {
            return probe is null ? await ConnectAsync(port, either.Token) : await GetAsync(port, probe, either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return $"{what} was not answered within {Quantity.Format(limit)}";
        }
        catch (HttpRequestException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused })
        {
            return $"nothing listens on 127.0.0.1:{port}";
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return $"nothing listens on 127.0.0.1:{port}";
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or IOException)
        {
            return $"{what} failed: {(e.InnerException ?? e).Message}";
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<string?> GetAsync(int port, Probe probe, CancellationToken cancellation)
    {
        using var response = await _http.GetAsync(new Uri($"http://127.0.0.1:{port}{probe.Path}"), HttpCompletionOption.ResponseHeadersRead, cancellation);
        var status = (int)response.StatusCode;
        return status is >= 200 and <= 399 ? null : $"GET {probe.Path} answered {status}";
    }

    private static async Task<string?> ConnectAsync(int port, CancellationToken cancellation)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", port, cancellation);
        return null;
    }
}
