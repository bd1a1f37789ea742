using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew tokens</c> (U-69).</summary>
internal static class TokenVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var (name, role, org, expires) = (Args.Word("NAME", "What it is for."), Args.Text("--role", "ROLE", "viewer, deployer, on-call, admin, or node for an agent or edge"),
            Args.Text("--org", "ORG", "The one organization that it is good for. Default: all"), Args.Text("--expires", "TIME", "How long it lives, such as 30d. Default: for ever"));
        role.Required = true;
        var (token, yes) = (Args.Word("ID", "The token: its name, its id, or the end of its id."), Args.Yes());
        return new Verb("tokens", "List access tokens, make one, take one back.", "crew tokens list", "crew tokens create ci --role deployer --org acme --expires 90d > ci.token", "crew tokens revoke ci --yes") { Group = Groups.Access }
            .With(
                new Verb("list", "List tokens; their values are not kept.").Does(root, ListAsync),
                new Verb("create", "Make a token. stdout holds its value, this once.").With(name, role, org, expires).Does(root, async call =>
                    Created(call, await call.Client.PostAsync<NewTokenView>("tokens", new CreateToken(call.Value(name), call.Value(role), call.Value(org), call.Value(expires)), call.Cancellation))),
                new Verb("revoke", "Take a token back, at once.").With(token, yes).Does(root, call => RevokeAsync(call, call.Value(token), call.Value(yes))))
            .Does(root, ListAsync);
    }

    private static async Task<ExitCode> ListAsync(Call call) => call.List(
        (await call.GetAsync<TokenView[]>("tokens")).OrderBy(t => t.RevokedAt is not null).ThenBy(t => t.Name, StringComparer.Ordinal).ThenBy(t => t.CreatedAt).ToArray(),
        "No tokens. Make one: crew tokens create NAME --role viewer", list =>
        {
            var table = new Listing(new("ID"), new("NAME", Least: 10), new("ROLE"), new("ORG"), new("STATE"), new("CREATED"), new("EXPIRES"));
            foreach (var t in list)
                table.Add(Text.Short(t.Id), t.Name, t.Role, t.Org ?? "all", StateOf(t, call.Now), Text.Ago(t.CreatedAt, call.Now), t.ExpiresAt is { } ends ? Text.Ago(ends, call.Now) : "never");
            return table;
        });

    private static Cell StateOf(TokenView token, DateTimeOffset now) =>
        token.RevokedAt is not null ? new Cell("revoked", Tone.Dim) : token.ExpiresAt <= now ? new Cell("expired", Tone.Dim) : new Cell("good", Tone.Good);

    private static ExitCode Created(Call call, NewTokenView created) => call.Show(created, made =>
    {
        call.Words.Line($"{call.Words.Ink.Of(Tone.Good, "✓")} {made.Token.Name} is a {made.Token.Role} of {made.Token.Org ?? "every organization"}. This is its value; it is not shown again:");
        call.Out.Line(made.Value);
    });

    private static async Task<ExitCode> RevokeAsync(Call call, string which, bool yes)
    {
        var good = (await call.GetAsync<TokenView[]>("tokens")).Where(t => t.RevokedAt is null).ToList();
        var found = good.Where(t => t.Name == which || t.Id.ToString() == which || (which.Length >= 4 && t.Id.ToString().EndsWith(which, StringComparison.OrdinalIgnoreCase))).ToList();
        if (found.Count != 1)
            throw found.Count == 0
                ? new CrewFailedException(ExitCode.NotFound, $"There is no token '{which}' that is still good. 'crew tokens' lists them.")
                : new CrewFailedException(ExitCode.Conflict, $"{found.Count} tokens answer to '{which}'. Use one of their ids: {string.Join(", ", found.Select(t => Text.Short(t.Id)))}");
        call.Confirm(yes, $"Whoever uses token {found[0].Name} ({found[0].Role}) is refused from now on.", found[0].Name);
        await call.Client.DeleteAsync($"tokens/{found[0].Id}", call.Cancellation);
        call.Words.Line($"{call.Words.Ink.Of(Tone.Good, "✓")} {found[0].Name} is revoked");
        return ExitCode.Ok;
    }
}
