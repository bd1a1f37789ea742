using System.Globalization;
using System.Text;

namespace Groundcrew.Edge;

/// <summary>
/// Certificates made ready to be found by the name that a client asks for: an exact name before one with an asterisk, and
/// of two the first in the set. Immutable; replaced as a whole.
/// </summary>
internal sealed class CertificateTable
{
    private readonly Dictionary<string, ServedCertificate>.AlternateLookup<ReadOnlySpan<char>> _byName;

    /// <summary>A set with what is held of it. Of the certificates that are held only those stay that the set names, or that stand in.</summary>
    public CertificateTable(KeptCertificates kept, IReadOnlyDictionary<Guid, ServedCertificate> held)
        : this(kept.Set, kept.StandIns, held)
    {
    }

    private CertificateTable(CertificateSet? set, IReadOnlyList<CertificateReference> standIns, IReadOnlyDictionary<Guid, ServedCertificate> held)
    {
        (Set, StandIns, Held) = (set, standIns, held);
        var served = new Dictionary<string, ServedCertificate>(StringComparer.OrdinalIgnoreCase);
        var notCovered = new List<(Guid, string)>();
        foreach (var reference in (set?.Certificates ?? []).Concat(standIns))
        {
            if (!held.TryGetValue(reference.Id, out var certificate))
                continue;
            foreach (var name in reference.Names)
            {
                if (certificate.Covers(name))
                    served.TryAdd(name, certificate);
                else
                    notCovered.Add((reference.Id, name));
            }
        }
        (Served, NotCovered) = (served, notCovered);
        Missing = [.. (set?.Certificates ?? []).Select(c => c.Id).Where(id => !held.ContainsKey(id))];
        _byName = served.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Before any set.</summary>
    public static CertificateTable Empty { get; } = new(null, [], new Dictionary<Guid, ServedCertificate>());

    /// <summary>As it was applied; null before any.</summary>
    public CertificateSet? Set { get; }

    public long Generation => Set?.Generation ?? 0;

    /// <summary>Certificates of an earlier set, each with the names for which it serves until their own one is here.</summary>
    public IReadOnlyList<CertificateReference> StandIns { get; }

    public IReadOnlyDictionary<Guid, ServedCertificate> Held { get; }

    /// <summary>Every name, asterisks included, with what serves it.</summary>
    public IReadOnlyDictionary<string, ServedCertificate> Served { get; }

    /// <summary>Names that the set gives to a certificate which is not for them: they are not served by it.</summary>
    public IReadOnlyList<(Guid Id, string Name)> NotCovered { get; }

    /// <summary>What the set names and is not held.</summary>
    public IReadOnlyList<Guid> Missing { get; }

    /// <summary>What the disk keeps of it.</summary>
    public KeptCertificates Kept => new(Set!, StandIns);

    /// <summary>What serves a name that a client sent; null when nothing does.</summary>
    public ServedCertificate? Find(string name)
    {
        // The framework decodes names of other scripts; sets hold them as they travel.
        if (!Ascii.IsValid(name))
        {
            try
            {
                name = new IdnMapping().GetAscii(name);
            }
            catch (ArgumentException)
            {
                return null;
            }
        }
        // A client's own asterisk is no name, and neither is what is longer than names are.
        if (name.StartsWith('*') || name.Length > CertificateSetJudge.LongestName)
            return null;
        if (_byName.TryGetValue(name, out var exact))
            return exact;
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        if (dot <= 0)
            return null;
        Span<char> wild = stackalloc char[CertificateSetJudge.LongestName + 1];
        wild[0] = '*';
        name.AsSpan(dot).CopyTo(wild[1..]);
        return _byName.TryGetValue(wild[..(name.Length - dot + 1)], out var found) ? found : null;
    }

    /// <summary>
    /// The table of a newer set. For names whose certificate is not here yet, the one that serves them now goes on doing
    /// so: what is renewed or replaced is never without a certificate in between.
    /// </summary>
    public CertificateTable Next(CertificateSet set, Dictionary<Guid, ServedCertificate> held)
    {
        var here = set.Certificates.Where(c => held.ContainsKey(c.Id)).SelectMany(c => c.Names).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var awaited = set.Certificates.Where(c => !held.ContainsKey(c.Id)).SelectMany(c => c.Names).Where(n => !here.Contains(n)).ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (awaited.Count == 0)
            return new CertificateTable(set, [], held);
        var ids = Held.ToDictionary(h => h.Value, h => h.Key);
        var standIns = Served.Where(s => !here.Contains(s.Key) && (awaited.Contains(s.Key) || awaited.Contains(WildOf(s.Key))))
            .Select(s => (Id: ids[s.Value], Name: s.Key))
            .Concat(awaited.Where(n => !Served.ContainsKey(n) && Find(n) is not null).Select(n => (Id: ids[Find(n)!], Name: n)))
            .GroupBy(s => s.Id, s => s.Name)
            .Select(g => new CertificateReference(g.Key, [.. g.Order(StringComparer.Ordinal)])).ToList();
        foreach (var id in standIns.Select(s => s.Id))
            held[id] = Held[id];
        return new CertificateTable(set, standIns, held);
    }

    private static string WildOf(string name) => name.IndexOf('.', StringComparison.Ordinal) is var dot and > 0 ? "*" + name[dot..] : name;
}
