using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>How an HTTP server is called. Secrets stay closed until a request is made. Immutable.</summary>
public sealed record HttpSettings
{
    /// <summary>The name for basic authentication; null for none.</summary>
    public string? BasicUser { get; init; }

    /// <summary>The password for it.</summary>
    public Secret? BasicPassword { get; init; }

    /// <summary>The file that holds the password, read for each request.</summary>
    public string? BasicPasswordFile { get; init; }

    /// <summary>The word before the credentials.</summary>
    public string AuthorizationType { get; init; } = "Bearer";

    /// <summary>What stands in the header <c>Authorization</c>.</summary>
    public Secret? Credentials { get; init; }

    /// <summary>The file that holds it, read for each request.</summary>
    public string? CredentialsFile { get; init; }

    /// <summary>How certificates are judged and shown.</summary>
    public TlsSettings Tls { get; init; } = new();

    /// <summary>Whether redirects are followed.</summary>
    public bool FollowRedirects { get; init; } = true;

    /// <summary>Whether HTTP/2 may be spoken.</summary>
    public bool EnableHttp2 { get; init; } = true;

    /// <summary>The proxy that is asked.</summary>
    public Uri? ProxyUrl { get; init; }
}

/// <summary>The section <c>tls_config</c>. Immutable.</summary>
public sealed record TlsSettings
{
    /// <summary>The authorities that are trusted instead of the system's, as PEM.</summary>
    public string? Ca { get; init; }

    /// <summary>The file of them.</summary>
    public string? CaFile { get; init; }

    /// <summary>The file of our certificate.</summary>
    public string? CertFile { get; init; }

    /// <summary>The file of its key.</summary>
    public string? KeyFile { get; init; }

    /// <summary>The name that the server's certificate must have instead of its address.</summary>
    public string? ServerName { get; init; }

    /// <summary>Whether any certificate is taken.</summary>
    public bool InsecureSkipVerify { get; init; }

    /// <summary>The lowest version, such as <c>TLS12</c>.</summary>
    public string? MinVersion { get; init; }

    /// <summary>The highest version.</summary>
    public string? MaxVersion { get; init; }
}
