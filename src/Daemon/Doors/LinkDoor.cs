using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Postgres;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Groundcrew.Daemon.Doors;

/// <summary>Where agents and edges dial in. Not a part of the public API: both ends are this program.</summary>
internal static class LinkDoor
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(60);

    public static void MapLink(this IEndpointRouteBuilder app)
    {
        var link = app.MapGroup("/link/v1").WithMetadata(new Needs(Role.Node)).ExcludeFromDescription();
        link.MapPost("/hello", HelloAsync);
        link.MapGet("/nodes/{id:guid}/tasks", TasksAsync);
        link.MapPost("/nodes/{id:guid}/reports", ReportsAsync);
        link.MapPost("/nodes/{id:guid}/secrets", SecretsAsync);
        link.MapPost("/nodes/{id:guid}/cluster-secrets", ClusterSecretsAsync);
        link.MapCertificateLink();
        link.MapPost("/streams/{id:guid}", StreamAsync);
        link.MapGet("/artifacts/{digest}", ArtifactAsync);
    }

    private static async Task<IResult> HelloAsync(HttpContext http, Nodes nodes, CancellationToken cancellation)
    {
        var hello = await ReadAsync<LinkHello>(http, cancellation);
        var problems = new ProblemList();
        if (hello?.Capacity is null)
            return Answers.BadInput([new Problem("missing", "", "The hello is empty.", "Say who you are.")]);
        problems.RequireSlug("region", hello.Region);
        if (string.IsNullOrWhiteSpace(hello.Hostname) || hello.Hostname.Length > 253)
            problems.Add("bad-name", "hostname", $"'{hello.Hostname}' is not a hostname.", "Use the machine's name.");
        return problems.IsEmpty ? Answers.View(await nodes.HelloAsync(hello, cancellation)) : Answers.BadInput(problems.Problems);
    }

    private static async Task<IResult> TasksAsync(Guid id, long? after, string? wait, Link link, Nodes nodes, CancellationToken cancellation)
    {
        if (!await nodes.SeenAsync(id, cancellation))
            return Answers.NotFound($"node {id}");
        var longest = wait is null ? TimeSpan.Zero : Quantity.ParseDuration(wait) ?? TimeSpan.Zero;
        var tasks = await link.TasksAsync(id, after ?? 0, longest < LongestWait ? longest : LongestWait, cancellation);
        return tasks is null ? Results.NoContent() : Answers.View(tasks);
    }

    private static async Task<IResult> ReportsAsync(HttpContext http, Guid id, Link link, Nodes nodes, Instances instances, CancellationToken cancellation)
    {
        var reports = await ReadAsync<LinkReports>(http, cancellation);
        if (!await nodes.SeenAsync(id, cancellation))
            return Answers.NotFound($"node {id}");
        await link.ReportAsync(id, reports ?? new LinkReports([]), instances, cancellation);
        return Results.NoContent();
    }

    private static async Task<IResult> SecretsAsync(HttpContext http, Guid id, InstanceSecrets secrets, CancellationToken cancellation)
    {
        var question = await ReadAsync<SecretsQuestion>(http, cancellation);
        if (question is null || await secrets.ForAsync(id, question.InstanceId, cancellation) is not { } values)
            return Answers.NotFound("such instance on this node");
        http.Response.Headers.CacheControl = "no-store";
        // The one place where secrets of instances leave: to the node that was given the instance, opened at the last moment.
        return Results.Json(values.ToDictionary(v => v.Key, v => v.Value.Reveal()), Json.Options);
    }

    private static async Task<IResult> ClusterSecretsAsync(HttpContext http, Guid id, DatabaseSecrets secrets, CancellationToken cancellation)
    {
        var question = await ReadAsync<ClusterSecretsQuestion>(http, cancellation);
        if (question is null || await secrets.ForAsync(id, question.ClusterId, cancellation) is not { } values)
            return Answers.NotFound("such cluster on this node");
        http.Response.Headers.CacheControl = "no-store";
        // As above: to the node that was given a server or a job of the cluster, opened at the last moment.
        return Results.Json(values.ToDictionary(v => v.Key, v => v.Value.Reveal()), Json.Options);
    }

    private static async Task<IResult> StreamAsync(HttpContext http, Guid id, Link link, CancellationToken cancellation)
    {
        // Output that is followed has no end, and may be silent for hours.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
        return await link.DeliverStreamAsync(id, http.Request.Body, cancellation) ? Results.NoContent() : Answers.NotFound($"stream {id}");
    }

    /// <summary>Unknown keys are let through: the other end may be of another version.</summary>
    internal static async Task<T?> ReadAsync<T>(HttpContext http, CancellationToken cancellation)
        where T : class
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<T>(http.Request.Body, Json.Options, cancellation);
        }
        catch (JsonException e)
        {
            throw new BadHttpRequestException($"The body is not what this call takes: {e.Message}", e);
        }
    }

    private static async Task<IResult> ArtifactAsync(string digest, Artifacts artifacts, CancellationToken cancellation) =>
        Artifacts.IsDigest(digest) && await artifacts.FileAsync(digest, cancellation) is { } file
            ? Results.File(file, "application/gzip")
            : Answers.NotFound($"artifact {digest}");
}
