using System.CommandLine;
using Groundcrew.Bedrock;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge certs authority</c> and <c>trust</c>: who makes certificates, and whom to trust in development.</summary>
internal static class AuthorityVerbs
{
    private const string Path = "edge/certificate-authority";

    public static Verb Of(CrewRoot root) =>
        new Verb("authority", "Show or set who makes certificates.",
            "crew edge certs authority", "crew edge certs authority set letsencrypt --email ops@example.org --agree-to-terms", "crew edge certs authority set development")
            .With(Set(root))
            .Does(root, async call => call.Show(await call.GetAsync<CertificateAuthorityView>(Path), a => Write(call, a)));

    public static Verb Trust(CrewRoot root)
    {
        var file = Args.Text("--out", "FILE", "Write it to a file instead of stdout");
        return new Verb("trust", "Write the certificate of the development authority, for those who are to trust it. It is good for localhost and the base domain only.",
            "crew edge certs trust --out groundcrew.pem", "crew edge certs trust > groundcrew.pem")
            .With(file)
            .Does(root, async call =>
            {
                var lines = new List<string>();
                await foreach (var line in call.Client.LinesAsync("edge/development-authority", "application/x-pem-file", call.Cancellation))
                    lines.Add(line);
                var pem = string.Join('\n', lines) + "\n";
                if (call.Value(file) is { } path)
                    DurableFiles.Real.Replace(System.IO.Path.GetFullPath(path), pem, DurableFiles.Private | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
                else if (call.IsJson)
                    return call.Show(new Dictionary<string, string>(StringComparer.Ordinal) { ["certificate"] = pem }, _ => { });
                else
                    call.Out.Writer.Write(pem);
                var name = call.Value(file) ?? "groundcrew.pem";
                call.Words.Line($"Trust it for one call: curl --cacert {Text.Clean(name)} https://HOST");
                call.Words.Line($"Trust it on this machine (Debian): copy it to /usr/local/share/ca-certificates/groundcrew.crt and run update-ca-certificates. Browsers import it in their settings, under authorities.");
                return ExitCode.Ok;
            });
    }

    private static Verb Set(CrewRoot root)
    {
        var who = Args.Word("WHO", "letsencrypt, letsencrypt-staging, the address of another ACME directory, development, or none.");
        var email = new Option<string[]>("--email") { Description = "Where the authority may write to.", HelpName = "MAIL" };
        var agree = new Option<bool>("--agree-to-terms") { Description = "You read the authority's terms and agree to them." };
        var (challenge, roots) = (Args.Text("--challenge", "KIND", "How hosts are proven: http-01 (port 80) or tls-alpn-01 (port 443). Default: http-01"), Args.Text("--roots", "FILE", "The roots that a private authority's server is trusted by, PEM"));
        var (keyId, keyFile) = (Args.Text("--eab-key-id", "ID", "The account elsewhere that ours belongs to, where the authority wants one"), Args.Text("--eab-key-file", "FILE", "The file with that account's key, base64url"));
        return new Verb("set", "Set who makes certificates from now on. What serves now serves until there is better.",
            "crew edge certs authority set letsencrypt --email ops@example.org --agree-to-terms", "crew edge certs authority set https://ca.internal/acme/directory --agree-to-terms --roots ca.pem",
            "crew edge certs authority set development", "crew edge certs authority set none")
            .With(who, email, agree, challenge, roots, keyId, keyFile)
            .Does(root, async call =>
            {
                var isAcme = call.Value(who) is not ("development" or "none");
                var request = new SetCertificateAuthority(
                    isAcme ? "acme" : call.Value(who), isAcme ? call.Value(who) : null, call.Value(email) is { Length: > 0 } mails ? mails : null, isAcme ? call.Value(agree) : null,
                    call.Value(challenge), call.Value(roots) is { } file ? CertificateVerbs.Read(file) : null, call.Value(keyId),
                    call.Value(keyFile) is { } secret ? CertificateVerbs.Read(secret).Trim() : null);
                return call.Show(await call.Client.PutAsync<CertificateAuthorityView>(Path, request, call.Cancellation), a =>
                {
                    call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {Words(a)}");
                    call.Words.Line("See how it goes: crew edge certs");
                });
            });
    }

    private static void Write(Call call, CertificateAuthorityView a)
    {
        call.Out.Line(Words(a));
        if (a.Kind == "development")
            call.Words.Line("Whom to trust then: crew edge certs trust");
        call.Out.Field("directory", a.Directory);
        call.Out.Field("contacts", a.Contacts.Count == 0 ? null : string.Join(", ", a.Contacts));
        call.Out.Field("challenge", a.Challenge);
        call.Out.Field("roots", a.Roots is null ? null : "its own");
        call.Out.Field("external", a.ExternalKeyId);
        call.Out.Field("set", a.SetAt is { } at ? $"{Text.Ago(at, call.Now)}, by {a.Actor}" : "never: this is the default");
    }

    private static string Words(CertificateAuthorityView a) => a.Kind switch
    {
        "acme" => "Hosts of environments and custom domains get certificates over ACME.",
        "development" => "Hosts below the base domain get certificates of development.",
        _ => "Nobody makes certificates: only imported ones serve.",
    };
}
