namespace Groundcrew.Edge;

/// <summary>What an edge serves of the certificates that it should. Immutable.</summary>
/// <param name="Generation">The set that it was given last and took; 0 before any.</param>
/// <param name="Serving">The newest set that it serves whole and has on its disk; 0 when none.</param>
/// <param name="Certificates">How many certificates it serves.</param>
/// <param name="Missing">Those of the set that it has not, or cannot open: to be fetched.</param>
/// <param name="Problem">Why the set is not served whole, or would not be after a restart; null when all is well. Holds no key.</param>
public sealed record CertificatesState(long Generation, long Serving, int Certificates, IReadOnlyList<Guid> Missing, string? Problem);
