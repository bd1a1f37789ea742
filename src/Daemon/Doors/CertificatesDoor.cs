using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Edge.Acme;
using Groundcrew.Fleet;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>The certificates of the platform, and who makes them. No answer of the API holds a key; edges get them over the link.</summary>
internal static class CertificatesDoor
{
    public static void MapCertificates(this RouteGroupBuilder api)
    {
        var edge = api.MapGroup("/edge").WithTags("edge");
        edge.MapGet("/certificates", ListAsync).Needs(Role.Viewer).Produces<CertificateView[]>();
        edge.MapGet("/certificates/{certificate}", ShowAsync).Needs(Role.Viewer).Produces<CertificateView>();
        edge.MapPost("/certificates", ImportAsync).Needs(Role.Admin).Accepts<ImportCertificate>("application/json").Produces<CertificateView>(201);
        edge.MapPost("/certificates/{certificate}/renew", RenewAsync).Needs(Role.OnCall).Produces<CertificateView>(202);
        edge.MapDelete("/certificates/{certificate}", RemoveAsync).Needs(Role.Admin).Produces<CertificateView>();
        edge.MapGet("/certificate-authority", AuthorityAsync).Needs(Role.Viewer).Produces<CertificateAuthorityView>();
        edge.MapPut("/certificate-authority", SetAuthorityAsync).Needs(Role.Admin).Accepts<SetCertificateAuthority>("application/json").Produces<CertificateAuthorityView>();
        edge.MapGet("/development-authority", DevelopmentAsync).Needs(Role.Viewer).Produces<string>(200, "application/x-pem-file");
    }

    /// <summary>Where an edge asks for certificates that it was named.</summary>
    public static void MapCertificateLink(this RouteGroupBuilder link) => link.MapPost("/nodes/{id:guid}/certificates", MaterialAsync);

    private static async Task<IResult> ListAsync(HttpContext http, Certificates certificates, int? limit, string? cursor, CancellationToken cancellation)
    {
        var size = Paging.SizeOf(limit);
        // Names are hosts, so that nothing sorts between a name and the name with a space behind it.
        var after = (await certificates.ListAsync(cancellation)).Where(e => cursor is null || string.CompareOrdinal(e.Key, cursor) > 0).OrderBy(e => e.Key, StringComparer.Ordinal).Take(size + 1).ToList();
        return Answers.View(Paging.Cut(http, after, size, e => e.Key).Select(Of).ToArray());
    }

    private static async Task<IResult> ShowAsync(string certificate, Certificates certificates, CancellationToken cancellation) =>
        await certificates.FindAsync(certificate, cancellation) is { } found ? Answers.View(Of(found)) : Answers.NotFound($"host or certificate '{certificate}'");

    private static async Task<IResult> ImportAsync(HttpContext http, Certificates certificates, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new ImportCertificate(null, null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var change = await certificates.ImportAsync(request.Chain, request.Key is { } key ? new Secret(key) : null, request.Replace ?? false, http.Actor(), cancellation);
        if (change is CertificateChange.Done { Entry.Certificate.Id: var id })
            http.Response.Headers.Location = $"/api/v1/edge/certificates/{id}";
        return Answer(change, 201);
    }

    private static async Task<IResult> RenewAsync(HttpContext http, string certificate, Certificates certificates, CancellationToken cancellation) =>
        Answer(await certificates.RenewAsync(certificate, http.Actor(), cancellation), 202);

    private static async Task<IResult> RemoveAsync(HttpContext http, string certificate, Certificates certificates, CancellationToken cancellation) =>
        Guid.TryParse(certificate, out var id) ? Answer(await certificates.RemoveAsync(id, http.Actor(), cancellation), 200) : Answers.NotFound($"certificate with the id '{certificate}'");

    private static async Task<IResult> AuthorityAsync(CertificateAuthorities authorities, CancellationToken cancellation) =>
        Answers.View(Of(await authorities.GetAsync(cancellation)));

    private static async Task<IResult> SetAuthorityAsync(HttpContext http, CertificateAuthorities authorities, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new SetCertificateAuthority(null, null, null, null, null, null, null, null));
        if (body.Value is not { } r)
            return Answers.BadInput(body.Problems);
        var wanted = new AuthorityRequest(
            r.Kind, r.Directory, r.Contacts, r.TermsAgreed, r.Challenge, r.Roots, r.ExternalKeyId, r.ExternalKey is { } key ? new Secret(key) : null);
        var judged = await authorities.SetAsync(wanted, http.Actor(), cancellation);
        return judged.Value is { } setting ? Answers.View(Of(setting)) : Answers.BadInput(judged.Problems);
    }

    private static async Task<IResult> DevelopmentAsync(CertificateAuthorities authorities, CancellationToken cancellation) =>
        await authorities.DevelopmentCertificateAsync(cancellation) is { } pem
            ? Results.Text(pem, "application/x-pem-file")
            : Answers.NotFound("authority of development. It is made when it is set, or when a host below localhost needs it");

    private static async Task<IResult> MaterialAsync(HttpContext http, Guid id, Certificates certificates, CancellationToken cancellation)
    {
        var question = await LinkDoor.ReadAsync<CertificatesQuestion>(http, cancellation);
        if (question?.Ids is not { } ids || ids.Count > CertificatesQuestion.MaxIds)
            return Answers.BadInput([new Problem("out-of-range", "ids", $"{question?.Ids?.Count ?? 0} certificates are asked for.", $"Ask for at most {CertificatesQuestion.MaxIds} at once.")]);
        if (await certificates.MaterialAsync(id, ids, cancellation) is not { } found)
            return Answers.NotFound($"edge {id}, and only edges are given keys of certificates");
        http.Response.Headers.CacheControl = "no-store";
        // The one place where keys leave: to an edge that was named the certificate, opened at the last moment.
        return Results.Json(found.Select(c => new { c.Id, c.Chain, Key = c.Key.Reveal() }).ToArray(), Json.Options);
    }

    private static IResult Answer(CertificateChange change, int status) => change switch
    {
        CertificateChange.Done done => Answers.View(Of(done.Entry), status),
        CertificateChange.Refused refused => Answers.BadInput(refused.Problems),
        CertificateChange.NotFound missing => Answers.NotFound(missing.What),
        CertificateChange.InTheWay conflict => Answers.Problem(409, ProblemCodes.Conflict, conflict.Why),
        _ => throw new InvalidOperationException($"{change} is no answer."),
    };

    private static CertificateView Of(CertificateEntry e) => new(e.Name, Views.Word(e.State), e.Problem, e.NextAttempt, e.EdgesServing, e.Edges)
    {
        Id = e.Certificate?.Id, Names = e.Certificate?.Info.Names ?? [e.Name], Source = e.Certificate is { Source: var source } ? Views.Word(source) : null,
        Issuer = e.Certificate?.Info.Issuer, Serial = e.Certificate?.Info.Serial, Fingerprint = e.Certificate?.Info.Fingerprint, NotBefore = e.Certificate?.Info.NotBefore,
        NotAfter = e.Certificate?.Info.NotAfter, MadeAt = e.Certificate?.MadeAt, Actor = e.Certificate?.Actor,
    };

    private static CertificateAuthorityView Of(AuthoritySetting s) => new(
        Views.Word(s.Kind), s.Directory, s.Contacts, s.Kind != AuthorityKind.Acme ? null : s.Challenge == AcmeChallengeKind.TlsAlpn01 ? "tls-alpn-01" : "http-01",
        s.Roots, s.ExternalKeyId, s.SetAt, s.Actor);
}
