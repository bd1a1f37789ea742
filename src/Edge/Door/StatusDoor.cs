using System.Net.Mime;
using System.Text;
using Groundcrew.Bedrock;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Groundcrew.Edge;

/// <summary>What the status port answers: health (T-06), metrics, the table that serves, and what is held back (AZ-48).</summary>
internal sealed class StatusDoor(EdgeTable table, AccessLog log, EdgeMeters meters, MetricRegistry metrics, TimeProvider clock)
{
    /// <summary>Opens it.</summary>
    public void Map(IEndpointRouteBuilder endpoints)
    {
        foreach (var path in (string[])["/health", "/health/ready", "/ready"])
            endpoints.MapGet(path, () => Health());
        endpoints.MapGet("/health/live", () => Results.Json(new { status = "alive", timestamp = clock.GetUtcNow() }, Json.Options));
        endpoints.MapGet("/metrics", () =>
        {
            meters.Observe(table);
            return Results.Text(metrics.WriteText(), MetricRegistry.ContentType, Encoding.UTF8);
        });
        endpoints.MapGet("/debug/circuit-breakers", () => Results.Json(table.Breakers(), Json.Indented));
        endpoints.MapGet("/debug/limits", () => Results.Json(table.Limits(), Json.Indented));
        endpoints.MapGet("/routes", () => table.Current is { } current
            ? Results.Json(current, Json.Indented)
            : Results.Json(new { title = "No table", status = StatusCodes.Status404NotFound, code = "no-table", detail = "No route table was loaded or applied yet." },
                Json.Options, MediaTypeNames.Application.ProblemJson, StatusCodes.Status404NotFound));
    }

    /// <summary>The edge is ready as soon as it has a table, from the disk or the control plane; a log that fails only degrades it.</summary>
    private IResult Health()
    {
        var current = table.Current;
        var failure = log.Failure;
        var status = current is null ? "unhealthy" : failure is null ? "healthy" : "degraded";
        var body = new
        {
            status,
            timestamp = clock.GetUtcNow(),
            checks = new
            {
                table = current is null
                    ? new { status = "unhealthy", message = "No route table was loaded or applied yet." }
                    : new { status = "healthy", message = $"Generation {current.Generation} serves {current.Routes.Count} routes." },
                accessLog = failure is null
                    ? new { status = "healthy", message = "Records are written." }
                    : new { status = "degraded", message = failure },
            },
        };
        return Results.Json(body, Json.Options, statusCode: current is null ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK);
    }
}
