using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>What is found in a certificate that somebody brings.</summary>
public sealed class CertificateJudgeTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly Made _root = Made.Authority("CN=Root", null);
    private readonly Made _middle;
    private readonly Made _leaf;

    public CertificateJudgeTests()
    {
        _middle = Made.Authority("CN=Middle", _root);
        _leaf = Made.Leaf(_middle, ["example.org", "*.example.org"]);
    }

    [Fact]
    public void A_good_chain_gives_what_a_person_wants_to_know()
    {
        var info = CertificateJudge.Judge(_leaf.Pem + _middle.Pem + _root.Pem, _leaf.Key, ["example.org", "WWW.example.org"], Now).Value!;
        Assert.Equal(["example.org", "*.example.org"], info.Names);
        Assert.Equal("CN=Middle", info.Issuer);
        Assert.Equal((Now.AddDays(-10), Now.AddDays(80)), (info.NotBefore, info.NotAfter));
        Assert.Equal(_leaf.Certificate.SerialNumber, info.Serial);
        Assert.Equal(_leaf.Certificate.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant(), info.Fingerprint);
    }

    [Fact]
    public void Every_form_of_key_is_read()
    {
        using var rsa = RSA.Create(2048);
        var leaf = Made.Leaf(_middle, ["example.org"], rsa: rsa);
        foreach (var key in new[] { rsa.ExportPkcs8PrivateKeyPem(), rsa.ExportRSAPrivateKeyPem() })
            Assert.Empty(Judge(leaf.Pem, key));
        using var curve = ECDsa.Create();
        curve.ImportFromPem(_leaf.Key.Reveal());
        Assert.Empty(Judge(_leaf.Pem, curve.ExportECPrivateKeyPem()));
    }

    [Fact]
    public void All_that_is_wrong_is_found_at_once()
    {
        using var weak = RSA.Create(1024);
        var bad = Made.Leaf(_middle, [], rsa: weak, until: Now.AddDays(-1), usage: "1.3.6.1.5.5.7.3.2");
        Assert.Equal(
            ["chain[0] expired", "chain[1] chain-out-of-order", "key key-mismatch", "chain[0] weak-key", "chain[0] not-for-servers", "chain[0] no-names"],
            Judge(bad.Pem + _root.Pem, _leaf.Key.Reveal(), "example.org"));
    }

    [Fact]
    public void Times_are_judged_for_every_certificate_of_the_chain()
    {
        var early = Made.Leaf(_middle, ["example.org"], from: Now.AddDays(1));
        Assert.Equal(["chain[0] not-yet-valid"], Judge(early.Pem, early.Key.Reveal()));
        var old = Made.Authority("CN=Old", _root, until: Now.AddSeconds(-1));
        var leaf = Made.Leaf(old, ["example.org"], until: Now.AddDays(-2));
        Assert.Equal(["chain[0] expired", "chain[1] expired"], Judge(leaf.Pem + old.Pem, leaf.Key.Reveal()));
    }

    [Fact]
    public void A_chain_that_stands_upside_down_is_out_of_order() =>
        Assert.Equal(["chain[1] chain-out-of-order", "chain[0] chain-out-of-order", "chain[0] is-authority", "chain[0] no-names"],
            Judge(_middle.Pem + _leaf.Pem, _leaf.Key.Reveal()));

    [Fact]
    public void An_issuer_of_the_same_name_with_another_key_is_out_of_order()
    {
        var twin = Made.Authority("CN=Middle", _root);
        Assert.Equal(["chain[1] chain-out-of-order"], Judge(_leaf.Pem + twin.Pem, _leaf.Key.Reveal()));
    }

    [Theory]
    [InlineData("example.com", true)]
    [InlineData("a.b.example.org", true)]
    [InlineData("*.example.org", false)]
    [InlineData("a.example.org", false)]
    [InlineData("example.org", false)]
    [InlineData("org", true)]
    [InlineData("", true)]
    public void Names_that_are_asked_for_must_be_covered(string name, bool isRefused) =>
        Assert.Equal(isRefused ? ["names[0] name-not-covered"] : [], Judge(_leaf.Pem, _leaf.Key.Reveal(), name));

    [Fact]
    public void Texts_that_cannot_be_read_are_told_for_chain_and_key()
    {
        Assert.Equal(["chain unreadable", "key unreadable"], Judge("", ""));
        Assert.Equal(["chain unreadable", "key unreadable"], Judge("hello", "hello"));
        Assert.Equal(["chain[0] unreadable"], Judge("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", _leaf.Key.Reveal()));
        Assert.Equal(["chain not-a-certificate"], Judge(_leaf.Pem + _leaf.Key.Reveal(), _leaf.Key.Reveal()));
        Assert.Equal(["chain not-a-certificate", "key unreadable"], Judge(_leaf.Key.Reveal(), _leaf.Pem));
        Assert.Equal(["chain too-large"], Judge(string.Concat(Enumerable.Repeat(_leaf.Pem, 11)), _leaf.Key.Reveal())
            .Where(p => p.StartsWith("chain t", StringComparison.Ordinal)));
        Assert.Equal(["chain too-large", "key unreadable"], Judge(new string('x', 300_000), new string('x', 300_000)));
    }

    [Fact]
    public void A_key_with_a_password_and_a_public_key_are_refused()
    {
        using var curve = ECDsa.Create();
        curve.ImportFromPem(_leaf.Key.Reveal());
        var locked = curve.ExportEncryptedPkcs8PrivateKeyPem("password", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000));
        Assert.Equal(["key encrypted"], Judge(_leaf.Pem, locked));
        Assert.Equal(["key unreadable"], Judge(_leaf.Pem, curve.ExportSubjectPublicKeyInfoPem()));
    }

    [Fact]
    public void A_broken_certificate_is_a_problem_wherever_it_is_broken()
    {
        var bytes = _leaf.Certificate.RawData;
        foreach (var mask in new byte[] { 0xFF, 0x01, 0x20, 0x80 })
            for (var i = 0; i < bytes.Length; i++)
            {
                var broken = bytes.ToArray();
                broken[i] ^= mask;
                Assert.True(IsRefused(broken), $"byte {i} of {bytes.Length} changed by {mask}");
            }
        for (var length = 0; length < bytes.Length; length += 7)
            Assert.True(IsRefused(bytes[..length]), $"cut to {length} of {bytes.Length}");

        bool IsRefused(byte[] broken) =>
            CertificateJudge.Judge(PemEncoding.WriteString("CERTIFICATE", broken) + "\n" + _middle.Pem, _leaf.Key, ["example.org"], Now).Problems.Count > 0;
    }

    private static IEnumerable<string> Judge(string chain, string key, params string[] names)
    {
        var judged = CertificateJudge.Judge(chain, new Secret(key), names, Now);
        Assert.All(judged.Problems, p => Assert.True(p is { Message.Length: > 0, Fix.Length: > 0 } && (key.Length < 10 || !p.ToString().Contains(key, StringComparison.Ordinal))));
        return judged.Problems.Select(p => $"{p.Path} {p.Code}");
    }

    /// <summary>A certificate made by the test.</summary>
    private sealed record Made(X509Certificate2 Certificate, Secret Key)
    {
        public string Pem => Certificate.ExportCertificatePem() + "\n";

        public static Made Authority(string name, Made? by, DateTimeOffset? until = null)
        {
            var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            var (from, to) = (Now.AddDays(-100), until ?? Now.AddDays(500));
            if (by is null)
                return new Made(request.CreateSelfSigned(from, to), Pkcs8(key));
            using var made = request.Create(by.Certificate, from, to, RandomNumberGenerator.GetBytes(8));
            return new Made(made.CopyWithPrivateKey(key), Pkcs8(key));
        }

        public static Made Leaf(Made by, string[] names, RSA? rsa = null, DateTimeOffset? from = null, DateTimeOffset? until = null, string usage = "1.3.6.1.5.5.7.3.1")
        {
            using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = rsa is null
                ? new CertificateRequest("CN=leaf", curve, HashAlgorithmName.SHA256)
                : new CertificateRequest("CN=leaf", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            var alternatives = new SubjectAlternativeNameBuilder();
            foreach (var name in names)
                alternatives.AddDnsName(name);
            if (names.Length > 0)
                request.CertificateExtensions.Add(alternatives.Build());
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
            using var signer = by.Certificate.GetECDsaPrivateKey()!;
            var certificate = request.Create(by.Certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(signer),
                from ?? Now.AddDays(-10), until ?? Now.AddDays(80), RandomNumberGenerator.GetBytes(8));
            return new Made(certificate, Pkcs8((AsymmetricAlgorithm?)rsa ?? curve));
        }

        private static Secret Pkcs8(AsymmetricAlgorithm key) => new(key.ExportPkcs8PrivateKeyPem());
    }
}
