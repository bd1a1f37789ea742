using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Whether a connection over TCP is encrypted.</summary>
internal enum WireTls
{
    /// <summary>It is not; a password is then only proven by SCRAM, never sent.</summary>
    Off,

    /// <summary>It is, whoever the server is (libpq's <c>sslmode=require</c>).</summary>
    Required,

    /// <summary>It is, and the server's certificate is checked with its name (libpq's <c>verify-full</c>).</summary>
    Verified,
}

/// <summary>A server that the replication protocol is spoken with, and as whom. Immutable.</summary>
internal sealed record ReplicationTarget
{
    /// <summary>The path of the server's socket; null for TCP.</summary>
    public string? SocketPath { get; init; }

    /// <summary>TCP: its name or address.</summary>
    public string Host { get; init; } = "";

    /// <summary>TCP: its port.</summary>
    public int Port { get; init; } = 5432;

    /// <summary>The role; it needs REPLICATION or to be a superuser.</summary>
    public required string User { get; init; }

    /// <summary>Its password; null where none is asked for (peer, trust).</summary>
    public Secret? Password { get; init; }

    /// <summary>TCP: whether it is encrypted.</summary>
    public WireTls Tls { get; init; }

    /// <summary>TLS: the only authority to be trusted, in PEM; null for those of the system.</summary>
    public string? AuthorityPem { get; init; }

    /// <summary>The name under which the server lists the connection; a synchronous receiver is chosen by it.</summary>
    public string ApplicationName { get; init; } = "crew";

    /// <summary>How long connecting and logging in may take.</summary>
    public TimeSpan ConnectLimit { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Where it is, for people; never with the password.</summary>
    public string Place => SocketPath ?? $"{Host}:{Port}";

    /// <summary>A server of this node, over its socket, as the platform's superuser.</summary>
    public static ReplicationTarget Local(string socketFolder, int port, string user = PgServer.Superuser) =>
        new() { SocketPath = Path.Combine(socketFolder, $".s.PGSQL.{port}"), User = user };

    /// <summary>
    /// Reads an address such as <c>postgres://backup@db.example.org:5432/?sslmode=verify-full</c>. A password in it is taken
    /// when <paramref name="password"/> is null.
    /// </summary>
    /// <exception cref="FormatException">It is none; the message says what is wrong.</exception>
    public static ReplicationTarget Parse(string url, Secret? password = null)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("postgres" or "postgresql") || uri.Host.Length == 0)
            throw new FormatException("This is no address of a server: write it as postgres://user@host:5432/?sslmode=verify-full.");
        var user = uri.UserInfo.Split(':', 2);
        if (user[0].Length == 0)
            throw new FormatException($"The address of {uri.Host} names no role: write it as postgres://user@{uri.Host}.");
        var tls = WireTls.Required;
        foreach (var pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
            if (pair.Split('=', 2) is ["sslmode", var mode])
                tls = mode switch
                {
                    "disable" => WireTls.Off,
                    "require" => WireTls.Required,
                    "verify-ca" or "verify-full" => WireTls.Verified,
                    _ => throw new FormatException($"sslmode={mode} is not offered: use disable, require or verify-full."),
                };
        return new()
        {
            Host = uri.Host.Trim('[', ']'),
            Port = uri.Port > 0 ? uri.Port : 5432,
            User = Uri.UnescapeDataString(user[0]),
            Password = password ?? (user.Length > 1 ? new Secret(Uri.UnescapeDataString(user[1])) : null),
            Tls = tls,
        };
    }
}
