using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Journal;
using Microsoft.AspNetCore.Http.Features;

namespace Groundcrew.Daemon.Doors;

/// <summary>Artifacts by digest: asked for with HEAD, uploaded once with PUT.</summary>
internal static class ArtifactsDoor
{
    public static void MapArtifacts(this RouteGroupBuilder api)
    {
        var artifacts = api.MapGroup("/artifacts").WithTags("artifacts");
        artifacts.MapMethods("{digest}", ["GET", "HEAD"], FindAsync).NeedsInAnyOrg(Role.Viewer).Produces<ArtifactView>();
        artifacts.MapPut("{digest}", UploadAsync).NeedsInAnyOrg(Role.Deployer).Accepts<byte[]>("*/*").Produces<ArtifactView>(201);
    }

    private static async Task<IResult> FindAsync(string digest, Artifacts artifacts, CancellationToken cancellation) =>
        Artifacts.IsDigest(digest) && await artifacts.FindAsync(digest, cancellation) is { } found
            ? Answers.View(Of(found))
            : Answers.NotFound($"artifact {digest}");

    private static async Task<IResult> UploadAsync(HttpContext http, string digest, Artifacts artifacts, Audit audit, CancellationToken cancellation)
    {
        if (!Artifacts.IsDigest(digest))
            return Answers.BadInput([new Bedrock.Problem("bad-digest", "digest", $"'{digest}' is not a digest.", "Use sha256: and 64 hexadecimal digits.")]);
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = Artifacts.MaxBytes + 1;
        var upload = await artifacts.UploadAsync(digest, http.Request.Body, cancellation);
        if (upload is ArtifactUpload.Stored { Artifact.Size: var size })
            await audit.WriteAsync(http.Actor(), "artifact.upload", digest, "done", new { size }, cancellation: cancellation);
        return upload switch
        {
            ArtifactUpload.Stored stored => Answers.View(Of(stored.Artifact), 201),
            ArtifactUpload.WrongDigest wrong => Answers.Problem(422, ProblemCodes.DigestMismatch,
                $"The bytes have the digest {wrong.Actual}, not {digest}; nothing was kept. Send them again."),
            ArtifactUpload.TooLarge large => Answers.Problem(413, ProblemCodes.TooLarge, $"An artifact has at most {Bedrock.Quantity.FormatBytes(large.Limit)}."),
            ArtifactUpload.NoSpace full => Answers.Problem(507, ProblemCodes.InsufficientStorage,
                $"The control plane cannot store the artifact ({full.Reason}). Nothing was kept and nothing changed: free space in its data folder, then deploy again."),
            _ => throw new InvalidOperationException("An upload ends in one of four ways."),
        };
    }

    private static ArtifactView Of(ArtifactInfo a) => new(a.Digest, a.Size, a.CreatedAt);
}
