using System.Security.Cryptography;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>What the set's file holds.</summary>
/// <param name="Set">The set that was applied last.</param>
/// <param name="StandIns">As in <see cref="CertificateTable.StandIns"/>.</param>
internal sealed record KeptCertificates(CertificateSet Set, IReadOnlyList<CertificateReference> StandIns);

/// <summary>
/// The certificates on the edge's disk (docs/formats/certificates.md): the set in one file, and each certificate with its
/// key in a sealed one of its own. For one caller at a time.
/// </summary>
internal sealed class CertificateFiles(string stateFolder, DurableFiles files)
{
    private const int Version = 1;
    private const string Ending = ".sealed";
    private readonly string _folder = Path.Combine(stateFolder, "certificates");
    private readonly string _keyFile = Path.Combine(stateFolder, "seal.key");
    private SealedBox? _box;
    private byte[]? _setOnDisk;

    /// <summary>The set's file.</summary>
    public string SetFile { get; } = Path.Combine(stateFolder, "certificates.json");

    /// <summary>The file of one certificate.</summary>
    public string FileOf(Guid id) => Path.Combine(_folder, $"{id}{Ending}");

    /// <summary>Whether two sets say the same.</summary>
    public static bool IsSame(CertificateSet one, CertificateSet other) =>
        JsonSerializer.SerializeToUtf8Bytes(one, Json.Options).AsSpan().SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(other, Json.Options));

    /// <summary>The bytes of the set's file.</summary>
    public static byte[] Encode(KeptCertificates kept)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(kept, Json.Options);
        return StateFile.Encode(Version, "certificates", body, StateFile.DigestOf(body));
    }

    /// <summary>Writes the set, when it is not there already.</summary>
    /// <exception cref="IOException">The disk does not take it.</exception>
    public void Keep(KeptCertificates kept)
    {
        var content = Encode(kept);
        if (_setOnDisk is { } before && before.AsSpan().SequenceEqual(content))
            return;
        files.Replace(SetFile, content);
        _setOnDisk = content;
    }

    /// <summary>Writes a certificate with its key, sealed.</summary>
    /// <exception cref="IOException">The disk does not take it.</exception>
    /// <exception cref="InvalidDataException">The key file is there and is no key.</exception>
    public void Keep(Guid id, KeyedCertificate keyed)
    {
        var plain = new Secret(JsonSerializer.Serialize(new Plain(keyed.Chain, keyed.Key.Reveal()), Json.Options));
        files.Replace(FileOf(id), Box().Seal(plain, Context(id)));
    }

    /// <summary>The set that was kept; null for none.</summary>
    /// <exception cref="InvalidDataException">Says what is wrong with the file.</exception>
    /// <exception cref="IOException">The disk does not give it.</exception>
    public KeptCertificates? ReadSet()
    {
        if (!File.Exists(SetFile))
            return null;
        var content = File.ReadAllBytes(SetFile);
        var kept = Decode(content);
        _setOnDisk = content;
        return kept;
    }

    /// <summary>A certificate that was kept; null for none.</summary>
    /// <exception cref="InvalidDataException">Says what is wrong with the file.</exception>
    /// <exception cref="IOException">The disk does not give it.</exception>
    public KeyedCertificate? Read(Guid id)
    {
        if (!File.Exists(FileOf(id)))
            return null;
        try
        {
            var plain = JsonSerializer.Deserialize<Plain>(Box().Unseal(File.ReadAllBytes(FileOf(id)), Context(id)).Reveal(), Json.Options);
            return plain is { Chain: { } chain, Key: { } key } ? new KeyedCertificate(chain, new Secret(key)) : throw new InvalidDataException("it holds no certificate");
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException($"it cannot be opened with '{_keyFile}'", e);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("it holds no certificate", e);
        }
    }

    /// <summary>Deletes the certificates that nothing names any more.</summary>
    /// <exception cref="IOException">The disk does not let go of one.</exception>
    public void DeleteAllBut(IEnumerable<Guid> ids)
    {
        if (!Directory.Exists(_folder))
            return;
        var named = ids.Select(FileOf).ToHashSet(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(_folder, "*" + Ending).Where(f => !named.Contains(f)).ToList())
            files.Delete(file);
    }

    private static KeptCertificates Decode(byte[] content) => StateFile.Decode(content, Version, "certificates", "a whole set of certificates", (body, _, _) =>
        body.Deserialize<KeptCertificates>(Json.Options) is { Set: { } set, StandIns: not null } kept && CertificateSetJudge.Judge(set).Count == 0
            ? kept
            : throw new InvalidDataException("it holds no good set"));

    private static string Context(Guid id) => $"edge-certificate:{id}";

    /// <summary>The key of this folder. One that is no key is set aside: what it sealed comes again from the control plane.</summary>
    private SealedBox Box()
    {
        if (_box is not null)
            return _box;
        try
        {
            _box = SealedBox.Open(_keyFile, files);
        }
        catch (InvalidDataException)
        {
            StateFile.SetAside(_keyFile);
            _box = SealedBox.Open(_keyFile, files);
        }
        return _box;
    }

    /// <summary>What is sealed; it exists only on the way into a box or out of one.</summary>
    private sealed record Plain(string Chain, string Key);
}
