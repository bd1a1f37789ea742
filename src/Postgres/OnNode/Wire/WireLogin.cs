using System.Buffers;
using System.Text;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Logs in for replication: startup message, authentication, parameters ("Start-up" of PostgreSQL's documentation).</summary>
internal static class WireLogin
{
    private const int Good = 0;
    private const int ClearText = 3;
    private const int Md5 = 5;
    private const int Sasl = 10;
    private const int SaslContinue = 11;
    private const int SaslFinal = 12;

    /// <summary>Logs in; returns the parameters that the server told, such as <c>server_version</c>.</summary>
    /// <exception cref="PgServerException">The server refused.</exception>
    /// <exception cref="WireException">What it asks for is not offered.</exception>
    public static async Task<Dictionary<string, string>> RunAsync(WireReader reader, WireWriter writer, ReplicationTarget target, CancellationToken cancellation)
    {
        await writer.SendAsync(0, target, static (b, t) => Startup(b, t), cancellation);
        var parameters = new Dictionary<string, string>(StringComparer.Ordinal);
        Scram? scram = null;
        var isProven = false;
        while (true)
        {
            var message = await reader.ReadAsync(cancellation);
            switch ((char)message.Type)
            {
                case 'E':
                    throw WireBody.Error(message.Body.Span);
                case 'R':
                    (scram, isProven) = await AnswerAsync(writer, target, message, scram, isProven, cancellation);
                    break;
                case 'S':
                    Parameter(message, parameters);
                    break;
                case 'Z':
                    return parameters;
                case 'K' or 'N':
                    break;
                default:
                    throw new WireException($"The server sent a message of kind {(char)message.Type} in the login.");
            }
        }
    }

    private static void Startup(ArrayBufferWriter<byte> to, ReplicationTarget target)
    {
        WireWriter.Int32(to, WireWriter.Protocol);
        foreach (var text in (string[])["user", target.User, "replication", "true", "application_name", target.ApplicationName, "client_encoding", "UTF8"])
            WireWriter.Text(to, text);
        WireWriter.Byte(to, 0);
    }

    /// <summary>Takes a parameter that the server tells.</summary>
    public static void Parameter(WireMessage message, Dictionary<string, string> parameters)
    {
        var body = new WireBody(message.Body.Span);
        var name = body.Text();
        parameters[name] = body.Text();
    }

    private static async Task<(Scram? Scram, bool IsProven)> AnswerAsync(
        WireWriter writer, ReplicationTarget target, WireMessage message, Scram? scram, bool isProven, CancellationToken cancellation)
    {
        var (kind, text, names) = Question(message);
        switch (kind)
        {
            case Good when scram is null || isProven:
                return (scram, true);
            case ClearText when target.Password is { } password && scram is null:
                if (target.SocketPath is null && target.Tls == WireTls.Off)
                    throw new WireException($"The server at {target.Place} asks for the password itself on a connection that is not encrypted: it is not sent. Set password_encryption = 'scram-sha-256' there and the method scram-sha-256 in pg_hba.conf, or use TLS.");
                await writer.SendTextAsync((byte)'p', password.Reveal(), cancellation);
                return (null, false);
            case Md5:
                throw new WireException($"The server at {target.Place} asks for an MD5 password, which is not safe: use the method scram-sha-256 in pg_hba.conf.");
            case Sasl when target.Password is { } password && scram is null && names.Contains(Scram.Mechanism):
                scram = new Scram(password);
                await writer.SendAsync((byte)'p', scram.First, static (b, first) => SaslInitial(b, first), cancellation);
                return (scram, false);
            case SaslContinue when scram is not null && !isProven:
                await writer.SendAsync((byte)'p', scram.Prove(text), static (b, proof) => b.Write(Encoding.UTF8.GetBytes(proof)), cancellation);
                return (scram, false);
            case SaslFinal when scram is not null:
                scram.Check(text);
                return (scram, true);
            case ClearText or Sasl when target.Password is null:
                throw new WireException($"The server at {target.Place} asks for a password of role {target.User}, and none is known.");
            default:
                throw new WireException($"The server at {target.Place} asks for a kind of login that is not offered ({kind}).");
        }
    }

    internal static (int Kind, string Text, List<string> Names) Question(WireMessage message)
    {
        var body = new WireBody(message.Body.Span);
        var kind = body.Int32();
        var names = new List<string>();
        if (kind == Sasl)
            while (body.Rest.Length > 1)
                names.Add(body.Text());
        return (kind, kind is SaslContinue or SaslFinal ? Encoding.UTF8.GetString(body.Rest) : "", names);
    }

    private static void SaslInitial(ArrayBufferWriter<byte> to, string first)
    {
        WireWriter.Text(to, Scram.Mechanism);
        var bytes = Encoding.UTF8.GetBytes(first);
        WireWriter.Int32(to, bytes.Length);
        to.Write(bytes);
    }
}
