using System.Net.Mail;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;
using Groundcrew.Edge.Acme;

namespace Groundcrew.Deploys;

/// <summary>Who makes the certificates of the platform's hosts.</summary>
public enum AuthorityKind
{
    /// <summary>Nobody: only imported certificates serve.</summary>
    None,

    /// <summary>Our own authority of development, for hosts below the base domain.</summary>
    Development,

    /// <summary>A public authority, or a private one, over ACME (RFC 8555).</summary>
    Acme,
}

/// <summary>Who makes certificates, as it stands. Immutable.</summary>
/// <param name="Kind">Who.</param>
/// <param name="Directory">The ACME directory; null for other kinds.</param>
/// <param name="Contacts">Where the authority writes to, such as <c>mailto:ops@example.org</c>.</param>
/// <param name="TermsAgreed">Whether a person agreed to the authority's terms.</param>
/// <param name="Challenge">How hosts are proven to it.</param>
/// <param name="Roots">By which roots its server is trusted (PEM); null for those of the system.</param>
/// <param name="ExternalKeyId">The account elsewhere that ours belongs to; null for none.</param>
/// <param name="SetAt">When it was set; null while the default holds.</param>
/// <param name="Actor">Who set it.</param>
public sealed record AuthoritySetting(
    AuthorityKind Kind, string? Directory, IReadOnlyList<string> Contacts, bool TermsAgreed, AcmeChallengeKind Challenge, string? Roots,
    string? ExternalKeyId, DateTimeOffset? SetAt, string? Actor);

/// <summary>Who is to make certificates, as it was asked for. <see cref="CertificateAuthorities.Judge"/> says what is wrong with it.</summary>
/// <param name="Kind"><c>none</c>, <c>development</c> or <c>acme</c>.</param>
/// <param name="Directory"><c>letsencrypt</c>, <c>letsencrypt-staging</c>, or the address of an ACME directory.</param>
/// <param name="Contacts">Mail addresses, with or without <c>mailto:</c>.</param>
/// <param name="TermsAgreed">Whether a person agreed to the authority's terms.</param>
/// <param name="Challenge"><c>http-01</c>, which it is when left out, or <c>tls-alpn-01</c>.</param>
/// <param name="Roots">PEM.</param>
/// <param name="ExternalKeyId">Goes with <paramref name="ExternalKey"/>.</param>
/// <param name="ExternalKey">Base64url, as the authority gave it.</param>
public sealed record AuthorityRequest(
    string? Kind, string? Directory, IReadOnlyList<string>? Contacts, bool? TermsAgreed, string? Challenge, string? Roots, string? ExternalKeyId, Secret? ExternalKey);

/// <summary>Judges who is to make certificates: everything that is wrong at once. Pure.</summary>
internal static class AuthorityJudge
{
    private const int LongestText = 64 * 1024;
    private const int MostContacts = 10;
    private const string MailTo = "mailto:";

    private static readonly (string Name, string Directory)[] Known =
    [
        ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
        ("letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory"),
    ];

    public static Judged<AuthoritySetting> Judge(AuthorityRequest wanted)
    {
        var problems = new ProblemList();
        var kind = KindOf(wanted.Kind, problems);
        var challenge = ChallengeOf(wanted.Challenge, problems);
        if (kind is not AuthorityKind.Acme)
        {
            OnlyForAcme(wanted, problems);
            return problems.IsEmpty
                ? Judged<AuthoritySetting>.Good(new AuthoritySetting(kind, null, [], false, challenge, null, null, null, null))
                : Judged<AuthoritySetting>.Bad(problems.Problems);
        }
        var directory = DirectoryOf(wanted.Directory, problems);
        var contacts = ContactsOf(wanted.Contacts ?? [], problems);
        if (wanted.TermsAgreed is not true)
            problems.Add("terms-not-agreed", "termsAgreed", "An authority only serves those who agree to its terms.", "Read them, and say that you agree: \"termsAgreed\": true.");
        JudgeRoots(wanted.Roots, problems);
        JudgeExternal(wanted, problems);
        return problems.IsEmpty
            ? Judged<AuthoritySetting>.Good(new AuthoritySetting(kind, directory, contacts, true, challenge, wanted.Roots, wanted.ExternalKeyId, null, null))
            : Judged<AuthoritySetting>.Bad(problems.Problems);
    }

    private static AuthorityKind KindOf(string? text, ProblemList problems)
    {
        switch (text)
        {
            case "acme":
                return AuthorityKind.Acme;
            case "development":
                return AuthorityKind.Development;
            case "none":
                return AuthorityKind.None;
            default:
                problems.Add(text is null ? "missing" : "unknown-kind", "kind", text is null ? "It is not said who makes certificates." : $"'{text}' is no kind of authority.", "Use development, acme or none.");
                return AuthorityKind.None;
        }
    }

    private static AcmeChallengeKind ChallengeOf(string? text, ProblemList problems)
    {
        if (text is not (null or "http-01" or "tls-alpn-01"))
            problems.Add("unknown-challenge", "challenge", $"'{text}' is no proof that an edge can give.", "Use http-01 (port 80) or tls-alpn-01 (port 443).");
        return text == "tls-alpn-01" ? AcmeChallengeKind.TlsAlpn01 : AcmeChallengeKind.Http01;
    }

    private static void OnlyForAcme(AuthorityRequest wanted, ProblemList problems)
    {
        foreach (var (path, isGiven) in ((string, bool)[])[
            ("directory", wanted.Directory is not null), ("contacts", wanted.Contacts is { Count: > 0 }), ("roots", wanted.Roots is not null),
            ("externalKeyId", wanted.ExternalKeyId is not null), ("externalKey", wanted.ExternalKey is not null)])
            if (isGiven)
                problems.Add("not-taken", path, "This is only for an authority that is asked over ACME.", "Leave it out, or use the kind acme.");
    }

    private static string? DirectoryOf(string? text, ProblemList problems)
    {
        if (Known.FirstOrDefault(k => k.Name == text).Directory is { } known)
            return known;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && text!.Length <= 2048 && uri.UserInfo.Length == 0
            && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback)))
            return uri.AbsoluteUri;
        problems.Add(text is null ? "missing" : "bad-address", "directory", text is null ? "It is not said which authority." : $"'{text}' is no address of an ACME directory.",
            "Use letsencrypt, letsencrypt-staging, or the directory's address with https://.");
        return null;
    }

    private static List<string> ContactsOf(IReadOnlyList<string> texts, ProblemList problems)
    {
        var contacts = new List<string>();
        if (texts.Count > MostContacts)
            problems.Add("too-many", "contacts", $"There are {texts.Count} contacts.", $"Use at most {MostContacts}.");
        for (var i = 0; i < texts.Count && i < MostContacts; i++)
        {
            var mail = texts[i]?.StartsWith(MailTo, StringComparison.Ordinal) == true ? texts[i][MailTo.Length..] : texts[i];
            if (mail is { Length: <= 254 } && MailAddress.TryCreate(mail, out var address) && address.Address == mail && mail.All(c => c is > ' ' and < (char)127))
                contacts.Add(MailTo + mail);
            else
                problems.Add("bad-mail", $"contacts[{i}]", $"'{mail}' is no mail address.", "Use an address such as ops@example.org.");
        }
        return contacts;
    }

    private static void JudgeRoots(string? roots, ProblemList problems)
    {
        if (roots is null)
            return;
        var read = new X509Certificate2Collection();
        try
        {
            if (roots.Length <= LongestText)
                read.ImportFromPem(roots);
        }
        catch (CryptographicException)
        {
            read.Clear(); // Said below, as for a text without any certificate.
        }
        if (read.Count == 0)
            problems.Add("unreadable", "roots", "There is no certificate in PEM in it that can be read.", "Bring the roots of the authority's server, text that begins with -----BEGIN CERTIFICATE-----.");
        foreach (var root in read)
            root.Dispose();
    }

    private static void JudgeExternal(AuthorityRequest wanted, ProblemList problems)
    {
        if (wanted.ExternalKeyId is null != wanted.ExternalKey is null)
            problems.Add("missing", wanted.ExternalKey is null ? "externalKey" : "externalKeyId", "An account elsewhere is named by its key's id and proven by its key.", "Give both, or none.");
        if (wanted.ExternalKeyId is { } id && id.Length is 0 or > 1000)
            problems.Add("bad-name", "externalKeyId", "The id is empty or longer than 1000 characters.", "Give it as the authority gave it.");
        if (wanted.ExternalKey is { } key && !IsBase64Url(key))
            problems.Add("unreadable", "externalKey", "The key is not base64url.", "Give it as the authority gave it.");
    }

    private static bool IsBase64Url(Secret key)
    {
        var text = key.Reveal();
        return text.Length is > 0 and <= 1000 && System.Buffers.Text.Base64Url.IsValid(text);
    }
}
