using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew domains</c> (ZW-67, ZW-90).</summary>
internal static class DomainVerbs
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(2);

    public static Verb Of(CrewRoot root)
    {
        var project = Args.Project();
        Task<ExitCode> List(Call call) => ListAsync(call, call.Value(project));
        return new Verb("domains", "List the domains of a project; add, check or remove one.",
            "crew domains acme/web", "crew domains acme/web add app.acme.org --wait", "crew domains acme/web check", "crew domains acme/web remove app.acme.org --yes")
        { Group = Groups.Operate }
            .With(project, new Verb("list", "List the domains, and what to set in the DNS for those that are not proven.").Does(root, List),
                Add(root, project), Check(root, project), Remove(root, project))
            .Does(root, List);
    }

    private static Verb Add(CrewRoot root, Argument<ProjectName> project)
    {
        var (host, environment) = (Args.Word("HOST", "The domain, such as app.acme.org."), Args.Environment());
        var trusted = new Option<bool>("--trusted") { Description = "Vouch for it instead of proving it by its DNS; for admins of the whole platform." };
        var wait = new Option<bool>("--wait") { Description = "Wait until its DNS proves it." };
        return new Verb("add", "Claim a domain for an environment, and say what to set in its DNS.", "crew domains acme/web add app.acme.org", "crew domains acme/web add staging.acme.org --environment staging --wait")
            .With(host, environment, trusted, wait).Does(root, async call =>
            {
                var request = new AddDomain(call.Value(host), call.Value(environment)) { Trusted = call.Value(trusted) ? true : null };
                var path = $"{call.Value(project).Path}/domains";
                var added = await call.Client.PostAsync<DomainView>(path, request, call.Cancellation);
                if (call.Value(wait) && added.State == "pending")
                    added = await WaitAsync(call, path, added);
                call.Show(added, domain => Say(call, domain));
                return call.Value(wait) && added.State is not ("verified" or "astray") ? ExitCode.Failed : ExitCode.Ok;
            });
    }

    private static Verb Check(CrewRoot root, Argument<ProjectName> project)
    {
        var host = new Argument<string?>("HOST") { Description = "Only this domain.", Arity = ArgumentArity.ZeroOrOne };
        return new Verb("check", "Ask the DNS and the site of each domain as the public would; ends with 1 when something is wrong.", "crew domains acme/web check", "crew domains acme/web check app.acme.org --json")
            .With(host).Does(root, async call =>
            {
                var path = $"{call.Value(project).Path}/domains";
                string[] hosts = call.Value(host) is { } one ? [one] : [.. (await AllAsync(call, call.Value(project))).Select(d => d.Host)];
                var checks = new List<DomainCheckView>();
                foreach (var each in hosts)
                    checks.Add(await call.Client.PostAsync<DomainCheckView>($"{path}/{Args.Escape(each)}/check", null, call.Cancellation));
                call.List(checks, $"No domains of its own. Add one: crew domains {call.Value(project)} add HOST", Table);
                if (call.IsJson)
                    return checks.TrueForAll(c => c.Ok) ? ExitCode.Ok : ExitCode.Failed;
                foreach (var wrong in checks.Where(c => !c.Ok))
                    call.Words.Line($"{call.Words.Ink.Of(Tone.Bad, "✗")} {wrong.Host}: {Text.Clean(string.Join("; ", Wrongs(wrong)))}");
                return checks.TrueForAll(c => c.Ok) ? ExitCode.Ok : ExitCode.Failed;
            });
    }

    private static Verb Remove(CrewRoot root, Argument<ProjectName> project)
    {
        var (host, yes) = (Args.Word("HOST", "The domain."), Args.Yes());
        return new Verb("remove", "Lead a domain nowhere.").With(host, yes).Does(root, async call =>
        {
            call.Confirm(call.Value(yes), $"Requests to {call.Value(host)} are not answered any more.", call.Value(host));
            await call.Client.DeleteAsync($"{call.Value(project).Path}/domains/{Args.Escape(call.Value(host))}", call.Cancellation);
            call.Words.Line($"{call.Words.Ink.Of(Tone.Good, "✓")} {call.Value(host)} is removed");
            return ExitCode.Ok;
        });
    }

    private static async Task<ExitCode> ListAsync(Call call, ProjectName project)
    {
        var domains = await AllAsync(call, project);
        call.List(domains, $"No domains of its own. Add one: crew domains {project} add HOST", list =>
        {
            var table = new Listing(new("DOMAIN", Least: 16), new("ENVIRONMENT", Least: 10), new("STATE"), new("PROOF"), new("LOOKED AT"));
            foreach (var d in list)
                table.Add(d.Host, d.Environment, Cell.State(d.State), d.Proof ?? "-", d.LookedAt is { } at ? Text.Ago(at, call.Now) : "never");
            return table;
        });
        if (!call.IsJson)
            foreach (var domain in domains.Where(d => d.State != "verified" || d.Problem is not null))
            {
                call.Out.Line();
                Explain(call, domain);
            }
        return ExitCode.Ok;
    }

    private static Listing Table(IReadOnlyList<DomainCheckView> checks)
    {
        var table = new Listing(new("DOMAIN", Least: 16), new("STATE"), new("DNS", Least: 11), new("HTTPS", Least: 11), new("HTTP", Least: 8), new("CERT DAYS", IsNumber: true));
        foreach (var c in checks)
            table.Add(c.Host, Cell.State(c.State), c.Dns is { } dns ? new Cell(dns.Says, ToneOf(dns.Ok)) : "-", c.Https is { } https ? new Cell(https.Says, ToneOf(https.Ok)) : "-",
                new Cell(c.Http.Says, c.Https is null ? ToneOf(c.Http.Ok) : Tone.Plain), c.CertificateDays?.ToString() ?? "-");
        return table;
    }

    /// <summary>In full, for the table may have cut it.</summary>
    private static IEnumerable<string> Wrongs(DomainCheckView check)
    {
        if (check.Dns is { Ok: false } dns)
            yield return dns.Says;
        if (check.Https is { Ok: false } https)
            yield return $"https: {https.Says}";
        if (check.Https is null && !check.Http.Ok)
            yield return $"http: {check.Http.Says}";
        if (check.State != "verified")
            yield return $"{check.State}{(check.Problem is { Length: > 0 } problem ? $": {problem}" : "")}";
    }

    private static Tone ToneOf(bool ok) => ok ? Tone.Good : Tone.Bad;

    private static void Say(Call call, DomainView domain)
    {
        if (domain.State is "verified" or "astray")
            call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {domain.Host} leads to {domain.Org}/{domain.Project} in {domain.Environment}.");
        if (domain.State != "verified" || domain.Problem is not null)
            Explain(call, domain);
    }

    /// <summary>What is in the way, and the lines to copy into the DNS.</summary>
    private static void Explain(Call call, DomainView domain)
    {
        call.Out.Line(domain.State switch
        {
            "verified" or "astray" => $"{domain.Host}: {Text.Clean(domain.Problem ?? "")}",
            "expired" => $"{domain.Host}: nothing proved it in time, and it is not looked at any more. Add it again.",
            _ => $"{domain.Host} is not routed before its DNS proves that it is yours. {Text.Clean(domain.Problem ?? "")}".TrimEnd(),
        });
        if (domain.State == "verified" && domain.LeadsHere != false)
            return;
        foreach (var record in domain.Records)
            call.Out.Line($"  {Text.Clean(record.Line)}");
        if (domain.Records.Count > 1)
            call.Out.Line("Either proves it; the first brings the traffic. Where no CNAME can be, use an ALIAS record or the addresses of that name.");
    }

    private static async Task<DomainView> WaitAsync(Call call, string path, DomainView added)
    {
        if (!call.IsJson)
            Explain(call, added);
        call.Words.Line($"Waiting for the DNS of {added.Host}. Ctrl-C ends the waiting; the platform goes on looking.");
        var (now, said) = (added, added.Problem);
        while (now.State == "pending")
        {
            try
            {
                await Task.Delay(LookAgain, call.Clock, call.Cancellation);
                now = await FindAsync(call, path, added.Host)
                    ?? throw new CrewFailedException(ExitCode.NotFound, $"{added.Host} was removed while it was waited for.");
            }
            catch (OperationCanceledException) when (call.Cancellation.IsCancellationRequested)
            {
                throw new CrewFailedException(ExitCode.Interrupted, $"Not waiting any more. The platform goes on looking: crew domains {added.Org}/{added.Project}");
            }
            if (now.Problem is { Length: > 0 } problem && problem != said)
                call.Words.Line(Text.Clean(said = problem));
        }
        return now;
    }

    private static async Task<DomainView?> FindAsync(Call call, string path, string host) =>
        (await call.GetAsync<DomainView[]>($"{path}?limit=1000")).FirstOrDefault(d => d.Host == host);

    private static Task<DomainView[]> AllAsync(Call call, ProjectName project) => call.GetAsync<DomainView[]>($"{project.Path}/domains?limit=1000");
}
