using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge certs</c>: the certificates of the platform. Keys go in and never come out (invariant 11).</summary>
internal static class CertificateVerbs
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>An attempt that is this far away waits for the authority, and nobody waits for it at a terminal.</summary>
    private static readonly TimeSpan WorthWaiting = TimeSpan.FromSeconds(30);

    public static Verb Of(CrewRoot root) =>
        new Verb("certs", "List certificates, renew or import them, and set who makes them.",
            "crew edge certs", "crew edge certs show shop.example.org", "crew edge certs import wildcard.pem --key wildcard.key",
            "crew edge certs authority set letsencrypt --email ops@example.org --agree-to-terms", "crew edge certs trust --out groundcrew.pem")
            .With(
                new Verb("list", "List every host's certificate with its end, those that end first at the top.", "crew edge certs list", "crew edge certs list --json").Does(root, ListAsync),
                Show(root), Import(root), Renew(root), Remove(root), AuthorityVerbs.Of(root), AuthorityVerbs.Trust(root))
            .Does(root, ListAsync);

    /// <summary>The text of a file that the control plane would refuse when it is longer.</summary>
    public static string Read(string file)
    {
        using var reader = new StreamReader(file);
        var buffer = new char[300_000];
        var length = reader.ReadBlock(buffer);
        return length < buffer.Length ? new string(buffer, 0, length) : throw new CrewFailedException(ExitCode.Refused, $"'{file}' is longer than a certificate with its chain. Name the file in PEM.");
    }

    private static async Task<ExitCode> ListAsync(Call call) => call.List(
        (await call.GetAsync<CertificateView[]>("edge/certificates?limit=1000")).OrderBy(c => c.NotAfter ?? DateTimeOffset.MinValue).ThenBy(c => c.Name, StringComparer.Ordinal).ToArray(),
        "No certificates yet. Every host gets one once it is served; see who makes them: crew edge certs authority", list =>
        {
            var table = new Listing(new("NAMES", Least: 16), new("SOURCE"), new("EXPIRES"), new("STATE"), new("EDGES"), new("PROBLEM", Least: 8));
            foreach (var c in list)
                table.Add(Names(c), c.Source ?? "-", c.NotAfter is { } end ? Text.Ago(end, call.Now) : "-", Cell.State(c.State), c.Id is null ? "-" : $"{c.EdgesServing}/{c.Edges}", c.Problem ?? "-");
            return table;
        });

    private static Verb Show(CrewRoot root)
    {
        var which = Args.Word("HOST", "A host, or a certificate's id.");
        return new Verb("show", "Show one certificate: names, issuer, serial, fingerprint, times, and how it is renewed.", "crew edge certs show shop.example.org")
            .With(which).Does(root, async call => call.Show(await call.GetAsync<CertificateView>($"edge/certificates/{Args.Escape(call.Value(which))}"), c => Write(call, c)));
    }

    private static void Write(Call call, CertificateView c)
    {
        call.Out.Line($"{call.Out.Ink.Of(Tone.Strong, Text.Clean(c.Name))}  {call.Out.Ink.Of(Ink.OfState(c.State), c.State)}");
        call.Out.Field("id", c.Id?.ToString());
        call.Out.Field("names", c.Id is null ? null : string.Join(", ", c.Names));
        call.Out.Field("source", c.Source);
        call.Out.Field("issuer", c.Issuer);
        call.Out.Field("serial", c.Serial);
        call.Out.Field("sha256", c.Fingerprint);
        call.Out.Field("from", c.NotBefore is { } from ? $"{from:yyyy-MM-dd HH:mm} UTC" : null);
        call.Out.Field("until", c.NotAfter is { } until ? $"{until:yyyy-MM-dd HH:mm} UTC, {Text.Ago(until, call.Now)}" : null);
        call.Out.Field("came", c.MadeAt is { } made ? $"{Text.Ago(made, call.Now)}, by {c.Actor}" : null);
        call.Out.Field("next", c.NextAttempt is { } next ? $"{next:yyyy-MM-dd HH:mm} UTC, {Text.Ago(next, call.Now)}" : null);
        call.Out.Field("edges", c.Id is null ? null : $"{c.EdgesServing} of {c.Edges} serve it");
        call.Out.Field("problem", c.Problem, Tone.Bad);
    }

    private static Verb Import(CrewRoot root)
    {
        var (chain, key) = (Args.Word("CHAIN", "The file with the certificate and those above it, PEM."), new Option<string>("--key") { Description = "The file with its private key, PEM, unencrypted", HelpName = "FILE", Required = true });
        var replace = new Option<bool>("--replace") { Description = "Also when one for the same names is there that does not end earlier." };
        return new Verb("import", "Bring a certificate with its key. It serves the hosts that it names before any that the platform makes.",
            "crew edge certs import wildcard.pem --key wildcard.key", "crew edge certs import shop.pem --key shop.key --replace")
            .With(chain, key, replace)
            .Does(root, async call =>
            {
                var request = new ImportCertificate(Read(call.Value(chain)), Read(call.Value(key)!), call.Value(replace));
                return call.Show(await call.Client.PostAsync<CertificateView>("edge/certificates", request, call.Cancellation),
                    c => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {Names(c)} until {c.NotAfter:yyyy-MM-dd}; the edges take it now. You are told 30 days before its end."));
            });
    }

    private static Verb Renew(CrewRoot root)
    {
        var (host, wait) = (Args.Word("HOST", "The host."), Args.Wait());
        return new Verb("renew", "Ask for a new certificate of a host now, and follow until it is there or it is known why not.",
            "crew edge certs renew shop.example.org", "crew edge certs renew shop.example.org --wait false")
            .With(host, wait)
            .Does(root, async call =>
            {
                var path = $"edge/certificates/{Args.Escape(call.Value(host))}";
                var before = (await call.GetAsync<CertificateView>(path)).Id;
                var asked = await call.Client.PostAsync<CertificateView>($"{path}/renew", null, call.Cancellation);
                if (!call.Value(wait))
                    return call.Show(asked, c => call.Out.Line($"{c.Name} is renewed. See how it goes: crew edge certs show {c.Name}"));
                return await FollowAsync(call, path, before);
            });
    }

    private static async Task<ExitCode> FollowAsync(Call call, string path, Guid? before)
    {
        while (true)
        {
            var seen = await call.GetAsync<CertificateView>(path);
            if (seen.Id != before && seen.State != "renewing")
                return call.Show(seen, c => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {c.Name} has a new certificate until {c.NotAfter:yyyy-MM-dd HH:mm} UTC, from {Text.Clean(c.Issuer ?? "?")}"));
            if (seen.State != "renewing")
                throw new CrewFailedException(ExitCode.Failed, $"{seen.Name} has no new certificate: {seen.Problem ?? "no reason was given"}");
            if (seen.NextAttempt - call.Now > WorthWaiting)
                throw new CrewFailedException(ExitCode.Failed,
                    $"The authority may not be asked for {seen.Name} before {seen.NextAttempt:yyyy-MM-dd HH:mm} UTC ({Text.Ago(seen.NextAttempt!.Value, call.Now)}); it is asked then. {seen.Problem}".TrimEnd());
            await Task.Delay(LookAgain, call.Clock, call.Cancellation);
        }
    }

    private static Verb Remove(CrewRoot root)
    {
        var (which, yes) = (Args.Word("ID", "The id of an imported certificate, or a name that is on it."), Args.Yes());
        return new Verb("remove", "Forget an imported certificate. Its hosts go back to what the platform makes for them.", "crew edge certs remove '*.example.org' --yes")
            .With(which, yes)
            .Does(root, async call =>
            {
                var found = await call.GetAsync<CertificateView>($"edge/certificates/{Args.Escape(call.Value(which))}");
                if (found.Id is not { } id)
                    throw new CrewFailedException(ExitCode.NotFound, $"There is no certificate for {found.Name} to remove.");
                call.Confirm(call.Value(yes), $"The certificate of {Names(found)} is forgotten with its key.", found.Name);
                return call.Show(await call.Client.DeleteAsync<CertificateView>($"edge/certificates/{id}", call.Cancellation),
                    c => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} the certificate of {Names(c)} is forgotten"));
            });
    }

    private static string Names(CertificateView c) => c.Names.Count <= 2 ? string.Join(", ", c.Names) : $"{c.Names[0]} and {c.Names.Count - 1} more";
}
