using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Hosting;

namespace Groundcrew.Edge;

/// <summary>
/// The short way for the common case: ordinary HTTP/1.1 requests are read from the connection and relayed with our own
/// framing. It stands before Kestrel's HTTP on plain and on TLS connections alike. What is not ordinary is not consumed:
/// the connection goes on to the full path with that request, and stays there. Thread-safe.
/// </summary>
internal sealed class DirectPath(EdgeProxy proxy, EdgeTable table, PriorKnowledge prior, TimeProvider clock) : IHostedService, IDisposable
{
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RestAtMost = TimeSpan.FromSeconds(30);
    private readonly DateField _date = new(clock);
    private ITimer? _sweeping;

    /// <summary>
    /// Serves what is ordinary; when something else comes, <paramref name="full"/> takes over, or with
    /// <paramref name="mayBeHttp2"/> HTTP/2, if a plain connection begins with it.
    /// </summary>
    public async Task ServeAsync(ConnectionContext connection, ConnectionDelegate full, bool mayBeHttp2)
    {
        var isSecure = connection.Features.Get<ITlsHandshakeFeature>() is not null;
        var isHttp2 = isSecure && connection.Features.Get<ITlsApplicationProtocolFeature>() is { ApplicationProtocol.Span: var protocol } && protocol.SequenceEqual("h2"u8);
        var end = isHttp2 ? DirectEnd.BeforeAny : await ServeOrdinaryAsync(connection);
        if (end == DirectEnd.Ended)
            return;
        if (mayBeHttp2 && !isSecure && end == DirectEnd.BeforeAny && await prior.IsSpokenAsync(connection))
            await prior.ServeAsync(connection);
        else
            await full(connection);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _sweeping = clock.CreateTimer(_ => table.Sweep(RestAtMost), null, SweepEvery, SweepEvery);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose() => _sweeping?.Dispose();

    private async Task<DirectEnd> ServeOrdinaryAsync(ConnectionContext connection)
    {
        using var exchange = new DirectExchange(connection, table, clock, _date);
        var end = DirectEnd.BeforeAny;
        while (true)
        {
            ReadResult read;
            try
            {
                read = await exchange.WaitAsync();
            }
            catch (Exception e) when (e is ConnectionResetException or ConnectionAbortedException or IOException)
            {
                break;
            }
            var next = exchange.Take(read);
            if (next == DirectNext.Nothing)
                continue;
            if (next == DirectNext.NotOrdinary)
                return end;
            if (next == DirectNext.Ended)
                break;
            end = DirectEnd.BeforeNext;
            try
            {
                await proxy.ServeAsync(exchange);
            }
            finally
            {
                exchange.Ended();
            }
            if (!await exchange.EndAsync())
                break;
        }
        exchange.EndConnection();
        return DirectEnd.Ended;
    }

    /// <summary>How the direct path came to its end on a connection.</summary>
    private enum DirectEnd
    {
        /// <summary>The connection has ended.</summary>
        Ended,

        /// <summary>Its first request is the full path's.</summary>
        BeforeAny,

        /// <summary>A later request is.</summary>
        BeforeNext,
    }
}
