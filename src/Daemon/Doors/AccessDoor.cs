using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>Tokens, secrets and the audit log (U-69, T-42, T-43).</summary>
internal static class AccessDoor
{
    private static readonly TimeSpan LongestLife = TimeSpan.FromDays(3650);

    public static void MapAccess(this RouteGroupBuilder api)
    {
        var access = api.MapGroup("").WithTags("access");
        access.MapGet("/whoami", WhoAmI).NeedsInAnyOrg(Role.Viewer).Produces<WhoAmIView>();
        access.MapGet("/tokens", TokensAsync).Needs(Role.Admin).Produces<Contract.TokenView[]>();
        access.MapPost("/tokens", CreateTokenAsync).Needs(Role.Admin).Accepts<CreateToken>("application/json").Produces<NewTokenView>(201);
        access.MapDelete("/tokens/{id:guid}", RevokeAsync).Needs(Role.Admin).Produces(204);
        access.MapGet("/secrets/{org}", SecretsAsync).Needs(Role.Deployer).Produces<Contract.SecretView[]>();
        access.MapPut("/secrets/{org}/{name}", SetSecretAsync).Needs(Role.Deployer).Accepts<SetSecret>("application/json").Produces<Contract.SecretView>();
        access.MapDelete("/secrets/{org}/{name}", DeleteSecretAsync).Needs(Role.Deployer).Produces(204);
        access.MapGet("/audit", AuditAsync).Needs(Role.OnCall).Produces<AuditView[]>();
    }

    private static IResult WhoAmI(HttpContext http) =>
        Answers.View(new WhoAmIView(http.Actor().Name, http.Actor().Role.Word(), http.Actor().Org));

    private static async Task<IResult> TokensAsync(Access access, CancellationToken cancellation) =>
        Answers.View((await access.ListAsync(cancellation)).Select(Of).ToArray());

    private static async Task<IResult> CreateTokenAsync(
        HttpContext http, Access access, Store store, Audit audit, TimeProvider clock, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new CreateToken(null, null, null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var problems = new ProblemList();
        problems.RequireSlug("name", request.Name);
        var role = GateWords.ParseRole(request.Role);
        if (role is null)
            problems.Add("bad-role", "role", $"'{request.Role}' is not a role.", "Use viewer, deployer, on-call, admin, or node for an agent or edge.");
        if (request.Org is not null)
            problems.RequireSlug("org", request.Org);
        TimeSpan? lives = request.ExpiresIn is null ? null : Quantity.ParseDuration(request.ExpiresIn);
        if (role == Role.Node && request.Org is not null)
            problems.Add("bad-org", "org", "A node serves every organization.", "Leave the organization out.");
        if (request.ExpiresIn is not null && (lives is null || lives <= TimeSpan.Zero || lives > LongestLife))
            problems.Add("bad-duration", "expiresIn", $"'{request.ExpiresIn}' is not a time to live.", "Use a number with its unit, such as 30d or 12h, of at most 3650d.");
        if (!problems.IsEmpty)
            return Answers.BadInput(problems.Problems);
        var created = await store.WriteAsync((db, _) =>
        {
            var token = access.Create(db, request.Name!, role!.Value, request.Org, clock.GetUtcNow() + lives);
            audit.Write(db, http.Actor(), "token.create", request.Name!, "done", new { role = request.Role, request.Org });
            return Task.FromResult(token);
        }, cancellation);
        http.Response.Headers.CacheControl = "no-store";
        return Answers.View(new NewTokenView(Of(created.Token), created.Secret.Reveal()), 201);
    }

    private static async Task<IResult> RevokeAsync(HttpContext http, Guid id, Access access, Store store, Audit audit, CancellationToken cancellation)
    {
        var revoked = await store.WriteAsync(async (db, cancel) =>
        {
            if (!await access.RevokeAsync(db, id, cancel))
                return false;
            audit.Write(db, http.Actor(), "token.revoke", id.ToString(), "done");
            return true;
        }, cancellation);
        return revoked ? Results.NoContent() : Answers.NotFound($"token {id} that is still good");
    }

    private static async Task<IResult> SecretsAsync(string org, SecretStore secrets, CancellationToken cancellation) =>
        // Those of databases are the platform's own: nobody names, sets or deletes them here.
        Answers.View((await secrets.ListAsync(org, cancellation)).Where(s => !s.Name.Contains('/', StringComparison.Ordinal)).Select(s => new Contract.SecretView(s.Org, s.Name, s.Version, s.SetAt)).ToArray());

    private static async Task<IResult> SetSecretAsync(
        HttpContext http, string org, string name, SecretStore secrets, Store store, Audit audit, TimeProvider clock, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new SetSecret(null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var problems = new ProblemList();
        problems.RequireSlug("org", org);
        problems.RequireSlug("name", name);
        if (string.IsNullOrEmpty(request.Value) || request.Value.Length > 64 * 1024 || request.Value.Contains('\0', StringComparison.Ordinal))
            problems.Add("bad-value", "value", "The value is empty, longer than 64 KiB, or holds a zero byte.", "Send a text that an environment variable can hold.");
        if (!problems.IsEmpty)
            return Answers.BadInput(problems.Problems);
        var version = await store.WriteAsync(async (db, cancel) =>
        {
            var set = await secrets.SetAsync(db, org, name, new Secret(request.Value!), http.Actor(), cancel);
            audit.Write(db, http.Actor(), "secret.set", $"{org}/{name}", "done", new { version = set });
            return set;
        }, cancellation);
        return Answers.View(new Contract.SecretView(org, name, version, clock.GetUtcNow()));
    }

    private static async Task<IResult> DeleteSecretAsync(
        HttpContext http, string org, string name, SecretStore secrets, Store store, Audit audit, CancellationToken cancellation)
    {
        var deleted = await store.WriteAsync(async (db, cancel) =>
        {
            if (!await secrets.DeleteAsync(db, org, name, http.Actor(), cancel))
                return false;
            audit.Write(db, http.Actor(), "secret.delete", $"{org}/{name}", "done");
            return true;
        }, cancellation);
        return deleted ? Results.NoContent() : Answers.NotFound($"secret {name} of {org}");
    }

    private static async Task<IResult> AuditAsync(HttpContext http, Audit audit, int? limit, string? cursor, CancellationToken cancellation)
    {
        if (Paging.Judge(cursor) is { } refused)
            return refused;
        var page = await audit.ListAsync(new AuditFilter(), Paging.SizeOf(limit), PageCursor.Parse(cursor), cancellation);
        if (page.Next is { } next)
            Paging.Next(http, next.ToString());
        return Answers.View(page.Items.Select(a => new AuditView(a.At, a.Actor, a.Role.Word(), a.Action, a.Subject, a.Outcome)).ToArray());
    }

    private static Contract.TokenView Of(Journal.TokenView t) =>
        new(t.Id, t.Name, t.Role.Word(), t.Org, t.CreatedAt, t.ExpiresAt, t.RevokedAt);
}
