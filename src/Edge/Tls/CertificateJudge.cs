using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// Judges a certificate that somebody brings, with its chain and key, before it may serve: everything that is wrong with
/// it at once. No problem's text holds anything of the key. Pure; whether the root is trusted is not asked, as private
/// authorities are welcome.
/// </summary>
public static class CertificateJudge
{
    private const int LongestText = 256 * 1024;
    private const int LongestChain = 10;
    private const int WeakestRsa = 2048;
    private const int WeakestCurve = 256;
    private const string ServerAuthenticationOid = "1.3.6.1.5.5.7.3.1";
    private const string AnyUsageOid = "2.5.29.37.0";

    /// <summary>What it is, or all that is wrong with it.</summary>
    /// <param name="chain">PEM: the certificate first, then each one's issuer; the root may be left out.</param>
    /// <param name="key">PEM: its private key, unencrypted, PKCS#8, PKCS#1 or SEC 1.</param>
    /// <param name="names">The hosts that it must cover; may be empty.</param>
    /// <param name="now">When it is to be good.</param>
    public static Judged<CertificateInfo> Judge(string chain, Secret key, IReadOnlyList<string> names, DateTimeOffset now)
    {
        var problems = new ProblemList();
        var certificates = ReadChain(chain, problems);
        using var own = PrivateKey.Read(key, problems);
        try
        {
            if (certificates.Count > 0)
                JudgeCertificates(certificates, own, names, now, problems);
            return problems.IsEmpty
                ? Judged<CertificateInfo>.Good(Info(certificates[0]))
                : Judged<CertificateInfo>.Bad(problems.Problems);
        }
        finally
        {
            foreach (var certificate in certificates)
                certificate.Dispose();
        }
    }

    private static void JudgeCertificates(
        List<X509Certificate2> chain, PrivateKey? key, IReadOnlyList<string> names, DateTimeOffset now, ProblemList problems)
    {
        for (var i = 0; i < chain.Count; i++)
            JudgeTime(chain[i], i, now, problems);
        JudgeOrder(chain, problems);
        JudgeKey(chain, key, problems);
        JudgeStrength(chain[0], problems);
        JudgeUse(chain[0], problems);
        JudgeNames(chain[0], names, problems);
    }

    private static void JudgeTime(X509Certificate2 certificate, int index, DateTimeOffset now, ProblemList problems)
    {
        if (certificate.Until() <= now)
            problems.Add("expired", $"chain[{index}]", $"The certificate ended on {certificate.Until():yyyy-MM-dd HH:mm}.", "Bring one that is good today.");
        if (certificate.From() > now)
            problems.Add("not-yet-valid", $"chain[{index}]", $"The certificate begins on {certificate.From():yyyy-MM-dd HH:mm}.", "Bring it again then, or look at the clock.");
    }

    private static void JudgeOrder(List<X509Certificate2> chain, ProblemList problems)
    {
        for (var i = 0; i + 1 < chain.Count; i++)
            if (!CertificateSignature.IsBy(chain[i], chain[i + 1]))
                problems.Add("chain-out-of-order", $"chain[{i + 1}]", $"'{chain[i + 1].Subject}' did not sign '{chain[i].Subject}', which stands before it.",
                    "Put the certificate first and each one's issuer after it; leave out what does not belong.");
    }

    private static void JudgeKey(List<X509Certificate2> chain, PrivateKey? key, ProblemList problems)
    {
        if (key is null || key.Fits(chain[0]))
            return;
        if (chain.Skip(1).Any(key.Fits))
            problems.Add("chain-out-of-order", "chain[0]", "The certificate that the key belongs to is not the first one.", "Put it first, and each one's issuer after it.");
        else
            problems.Add("key-mismatch", "key", "The key does not belong to the certificate.", "Bring the key that the certificate was asked for with.");
    }

    private static void JudgeStrength(X509Certificate2 certificate, ProblemList problems)
    {
        using var rsa = certificate.GetRSAPublicKey();
        using var curve = certificate.GetECDsaPublicKey();
        if (rsa?.KeySize < WeakestRsa)
            problems.Add("weak-key", "chain[0]", $"An RSA key of {rsa.KeySize} bits can be broken.", $"Use P-256, or RSA of at least {WeakestRsa} bits.");
        else if (curve?.KeySize < WeakestCurve)
            problems.Add("weak-key", "chain[0]", $"A curve of {curve.KeySize} bits can be broken.", "Use P-256.");
        else if (rsa is null && curve is null)
            problems.Add("unknown-key", "chain[0]", $"Keys of the kind {certificate.PublicKey.Oid.Value} cannot serve here.", "Use P-256 or RSA.");
    }

    private static void JudgeUse(X509Certificate2 certificate, ProblemList problems)
    {
        if (certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(e => e.CertificateAuthority))
            problems.Add("is-authority", "chain[0]", "The first certificate is an authority's, which signs others and serves nothing.", "Put the certificate of the hosts first.");
        var uses = certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().FirstOrDefault()?.EnhancedKeyUsages;
        if (uses is not null && !uses.Cast<Oid>().Any(u => u.Value is ServerAuthenticationOid or AnyUsageOid))
            problems.Add("not-for-servers", "chain[0]", "The certificate is not for servers.", "Ask for one with the usage 'server authentication'.");
    }

    private static void JudgeNames(X509Certificate2 certificate, IReadOnlyList<string> names, ProblemList problems)
    {
        var held = NamesOf(certificate);
        if (held.Count == 0)
        {
            problems.Add("no-names", "chain[0]", "The certificate has no alternative names, which is where clients look.", "Ask for one with its hosts as subject alternative names.");
            return;
        }
        for (var i = 0; i < names.Count; i++)
            if (!held.Any(h => DnsNames.Covers(h, names[i])))
                problems.Add("name-not-covered", $"names[{i}]", $"The certificate is not for '{names[i]}', only for {string.Join(", ", held.Take(10))}.", "Bring one that names it.");
    }

    private static List<string> NamesOf(X509Certificate2 certificate)
    {
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().ToList();
        return [.. names.SelectMany(n => n.EnumerateDnsNames()), .. names.SelectMany(n => n.EnumerateIPAddresses()).Select(a => a.ToString())];
    }

    /// <summary>What a certificate says of itself.</summary>
    internal static CertificateInfo Info(X509Certificate2 certificate) =>
        new(NamesOf(certificate), certificate.Subject, certificate.Issuer, certificate.SerialNumber,
            certificate.From(), certificate.Until(),
            Convert.ToHexStringLower(SHA256.HashData(certificate.RawData)));

    private static List<X509Certificate2> ReadChain(string text, ProblemList problems)
    {
        var chain = new List<X509Certificate2>();
        if (text.Length > LongestText)
        {
            problems.Add("too-large", "chain", $"The text is longer than {LongestText} characters.", "Bring the certificate and those above it, nothing else.");
            return chain;
        }
        for (var rest = text.AsSpan(); PemEncoding.TryFind(rest, out var found); rest = rest[found.Location.End..])
        {
            if (!rest[found.Label].SequenceEqual("CERTIFICATE"))
                problems.Add("not-a-certificate", "chain", $"There is a '{rest[found.Label]}' among the certificates.", "Put only certificates here, and the key in its own place.");
            else if (chain.Count == LongestChain)
            {
                problems.Add("too-large", "chain", $"There are more than {LongestChain} certificates.", "Bring the certificate and those above it, nothing else.");
                return chain;
            }
            else if (TryLoad(rest[found.Location], chain.Count, problems) is { } certificate)
                chain.Add(certificate);
        }
        if (chain.Count == 0 && problems.IsEmpty)
            problems.Add("unreadable", "chain", "There is no certificate in PEM in it.", "Bring text that begins with -----BEGIN CERTIFICATE-----.");
        return chain;
    }

    /// <summary>Most of a certificate is read late by the framework: whatever is broken in it is to be found now.</summary>
    private static void ReadAll(X509Certificate2 certificate)
    {
        Info(certificate);
        foreach (var uses in certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>())
            _ = uses.EnhancedKeyUsages;
        foreach (var limits in certificate.Extensions.OfType<X509BasicConstraintsExtension>())
            _ = limits.CertificateAuthority;
        certificate.PublicKey.ExportSubjectPublicKeyInfo();
        certificate.GetRSAPublicKey()?.Dispose();
        certificate.GetECDsaPublicKey()?.Dispose();
        CertificateSignature.Parts(certificate);
    }

    private static X509Certificate2? TryLoad(ReadOnlySpan<char> pem, int index, ProblemList problems)
    {
        X509Certificate2? certificate = null;
        try
        {
            certificate = X509Certificate2.CreateFromPem(pem);
            ReadAll(certificate);
            return certificate;
        }
        catch (Exception e) when (e is CryptographicException or AsnContentException)
        {
            certificate?.Dispose();
            problems.Add("unreadable", $"chain[{index}]", "The certificate cannot be read.", "Copy it again, whole.");
            return null;
        }
    }
}
