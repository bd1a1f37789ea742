using Groundcrew.Edge;

namespace Groundcrew.Deploys;

/// <summary>The node task that tells an edge its certificates, and what the edge reports of it.</summary>
/// <param name="Serving">The generation of the set that it serves whole; 0 when none.</param>
/// <param name="Certificates">How many certificates it serves.</param>
/// <param name="Problem">Why it does not serve the set that it was given; null when it does.</param>
public sealed record CertificatesReport(long Serving, int Certificates, string? Problem)
{
    /// <summary>The kind of the task; its payload is a <see cref="CertificateSet"/>.</summary>
    public const string Kind = "edge.certificates";

    /// <summary>The key of the task: one an edge.</summary>
    public const string Key = "certificates";
}
