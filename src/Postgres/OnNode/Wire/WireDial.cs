using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Reaches a server: a socket of this node, or TCP with or without TLS ("SSL Session Encryption" of PostgreSQL's documentation).</summary>
internal static class WireDial
{
    /// <summary>A stream to the server, of which nothing was read or written yet but the agreement on TLS.</summary>
    /// <exception cref="WireException">It cannot be reached, or not as wanted; the message says why.</exception>
    public static async Task<Stream> OpenAsync(ReplicationTarget target, CancellationToken cancellation)
    {
        Stream? stream = null;
        try
        {
            stream = await ConnectAsync(target, cancellation);
            return target.SocketPath is null && target.Tls != WireTls.Off ? await EncryptAsync(stream, target, cancellation) : stream;
        }
        catch (Exception e) when (e is SocketException or AuthenticationException or IOException)
        {
            if (stream is not null)
                await stream.DisposeAsync();
            throw e as WireException ?? new WireException($"The server at {target.Place} cannot be reached: {e.Message}", e);
        }
        catch
        {
            if (stream is not null)
                await stream.DisposeAsync();
            throw;
        }
    }

    private static async Task<NetworkStream> ConnectAsync(ReplicationTarget target, CancellationToken cancellation)
    {
        var socket = target.SocketPath is null
            ? new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
            : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (target.SocketPath is { } path)
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
            else
            {
                // A server whose machine is gone says nothing: only the kernel's own questions tell.
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                await socket.ConnectAsync(target.Host, target.Port, cancellation);
            }
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<Stream> EncryptAsync(Stream stream, ReplicationTarget target, CancellationToken cancellation)
    {
        var ask = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(ask, ask.Length);
        BinaryPrimitives.WriteInt32BigEndian(ask.AsSpan(4), WireWriter.AskForTls);
        await stream.WriteAsync(ask, cancellation);
        // One byte and no more: what follows it belongs to TLS.
        var answer = new byte[1];
        await stream.ReadExactlyAsync(answer, cancellation);
        if (answer[0] != (byte)'S')
            throw new WireException($"The server at {target.Place} offers no TLS: switch it on there (ssl = on), or ask for sslmode=disable.");
        var encrypted = new SslStream(stream, leaveInnerStreamOpen: false);
        await encrypted.AuthenticateAsClientAsync(TlsOptions(target), cancellation);
        return encrypted;
    }

    private static SslClientAuthenticationOptions TlsOptions(ReplicationTarget target)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = target.Host };
        if (target.Tls == WireTls.Required)
        {
#pragma warning disable CA5359 // What "required" means, as libpq's sslmode=require: encrypted, whoever it is. "Verified" checks.
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (target.AuthorityPem is { } pem)
        {
            options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.ImportFromPem(pem);
        }
        return options;
    }
}
