using System.Buffers;
using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using Groundcrew.Bedrock;
using Groundcrew.Edge.Acme;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Groundcrew.Edge;

/// <summary>
/// What happens to a connection of a port with TLS until it speaks HTTP: it gets the certificate of the name that its
/// client asks for, or is refused; never another one. An authority that looks for the answer to a challenge gets that
/// answer (RFC 8737) and nothing else. Thread-safe.
/// </summary>
internal sealed class TlsPort
{
    /// <summary>An alert that ends the handshake: "unrecognized_name" (RFC 6066, section 3; RFC 8446, section 6).</summary>
    private static readonly byte[] UnrecognizedName = [21, 3, 3, 0, 2, 2, 112];

    private static readonly TimeSpan CloseWithin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan HandshakeWithin = TimeSpan.FromSeconds(10);
    private readonly EdgeCertificates _certificates;
    private readonly EdgeTable _table;
    private readonly TimeProvider _clock;
    private readonly Metric _handshakes;
    private readonly Metric.Series _served12;
    private readonly Metric.Series _served13;

    /// <summary>Answers to challenges as handshakes show them, for as long as the table names the challenge.</summary>
    private readonly ConditionalWeakTable<ChallengeAnswer, SslServerAuthenticationOptions> _answers = [];

    public TlsPort(EdgeCertificates certificates, EdgeTable table, MetricRegistry metrics, TimeProvider clock)
    {
        (_certificates, _table, _clock) = (certificates, table, clock);
        _handshakes = metrics.Counter("groundcrew_edge_tls_handshakes_total", "Handshakes by how they ended and the version of TLS: who cannot come in, and why?", "result", "version");
        (_served12, _served13) = (_handshakes.With("served", "1.2"), _handshakes.With("served", "1.3"));
        foreach (var result in (ReadOnlySpan<string>)["no-name", "unknown-name", "failed", "timeout"])
            _handshakes.With(result, "none");
    }

    /// <summary>What Kestrel makes handshakes by.</summary>
    public TlsHandshakeCallbackOptions Options => new() { OnConnection = ChooseAsync, HandshakeTimeout = HandshakeWithin };

    /// <summary>Before the handshake; <paramref name="next"/> makes it.</summary>
    public async Task BeginAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var handshake = new Handshake(_clock.GetTimestamp());
        connection.Features.Set(handshake);
        connection.Features.Get<OpenConnection>()?.BeginHandshake();
        if (_table.HasChallenges)
            handshake.IsOfAuthority = await IsOfAuthorityAsync(connection);
        try
        {
            await next(connection);
        }
        finally
        {
            if (!handshake.IsAgreed)
                _handshakes.With(handshake.Refusal ?? (_clock.GetElapsedTime(handshake.BeganAt) >= HandshakeWithin ? "timeout" : "failed"), "none").Add();
        }
    }

    /// <summary>After the handshake; <paramref name="next"/> speaks HTTP.</summary>
    public async Task AgreedAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var handshake = connection.Features.Get<Handshake>()!;
        handshake.IsAgreed = true;
        connection.Features.Get<OpenConnection>()?.EndHandshake(_clock.GetTimestamp());
        var isNewest = connection.Features.Get<ITlsHandshakeFeature>()?.Protocol == SslProtocols.Tls13;
        if (handshake.IsOfAuthority)
        {
            // It has seen what it came for (RFC 8737, section 3).
            _handshakes.With("challenge", isNewest ? "1.3" : "1.2").Add();
        }
        else
        {
            (isNewest ? _served13 : _served12).Add();
            await next(connection);
        }
        await CloseAsync(connection);
    }

    /// <summary>Says that no more comes, so that a client can tell the end from a cut (RFC 8446, section 6.1).</summary>
    private async ValueTask CloseAsync(ConnectionContext connection)
    {
        if (connection.ConnectionClosed.IsCancellationRequested || connection.Features.Get<ISslStreamFeature>() is not { SslStream: var tls })
            return;
        try
        {
            var closing = tls.ShutdownAsync();
            // A client that takes nothing is not waited for.
            if (!closing.IsCompletedSuccessfully)
                await closing.WaitAsync(CloseWithin, _clock);
        }
        catch (Exception e) when (e is IOException or TimeoutException or InvalidOperationException or ConnectionAbortedException or ConnectionResetException)
        {
            connection.Abort(new ConnectionAbortedException("The client takes nothing."));
        }
    }

    private async ValueTask<SslServerAuthenticationOptions> ChooseAsync(TlsHandshakeCallbackContext context)
    {
        var (name, handshake) = (context.ClientHelloInfo.ServerName, context.Connection.Features.Get<Handshake>()!);
        if (string.IsNullOrEmpty(name))
            handshake.Refusal = "no-name";
        else if (handshake.IsOfAuthority)
        {
            if (_table.ChallengeOf(name) is { } challenge)
                return _answers.GetValue(challenge, AnswerTo);
            handshake.Refusal = "unknown-name";
        }
        else if (_certificates.Current.Find(name) is { } certificate)
            return certificate.Options;
        else
            handshake.Refusal = "unknown-name";
        // The framework only closes the connection, which tells a client nothing.
        await context.Connection.Transport.Output.WriteAsync(UnrecognizedName, context.CancellationToken);
        throw new AuthenticationException("There is no certificate for the name that the client asks for.");
    }

    private SslServerAuthenticationOptions AnswerTo(ChallengeAnswer challenge)
    {
        var certificate = TlsAlpnChallenge.Certificate(challenge.Host, challenge.Answer, _clock);
        return ServedCertificate.OptionsOf(SslStreamCertificateContext.Create(certificate, null, offline: true), TlsAlpnChallenge.Protocol);
    }

    /// <summary>Looks at the client's first message without consuming it: the framework picks the certificate before it tells the protocols.</summary>
    private async ValueTask<bool> IsOfAuthorityAsync(ConnectionContext connection)
    {
        using var limit = new CancellationTokenSource(HandshakeWithin, _clock);
        var input = connection.Transport.Input;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(limit.Token);
                if (read.IsCompleted || read.IsCanceled || IsWhole(read.Buffer))
                {
                    var isAsked = TlsAlpnChallenge.IsAskedFor(read.Buffer);
                    input.AdvanceTo(read.Buffer.Start);
                    return isAsked;
                }
                input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ConnectionResetException or ConnectionAbortedException or IOException)
        {
            // The handshake finds the same.
            return false;
        }
    }

    /// <summary>Whether the first record is there whole, or what came is none. A record begins with its kind, two bytes of version and its length.</summary>
    private static bool IsWhole(ReadOnlySequence<byte> buffer)
    {
        const int header = 5;
        const byte handshake = 22;
        Span<byte> head = stackalloc byte[header];
        if (!buffer.IsEmpty && buffer.FirstSpan[0] != handshake)
            return true;
        if (buffer.Length < header)
            return false;
        buffer.Slice(0, header).CopyTo(head);
        return buffer.Length >= header + ((head[3] << 8) | head[4]);
    }

    /// <summary>How far a connection has come.</summary>
    private sealed class Handshake(long beganAt)
    {
        public long BeganAt => beganAt;

        public bool IsOfAuthority { get; set; }

        public bool IsAgreed { get; set; }

        public string? Refusal { get; set; }
    }
}
