using System.Net.Mime;
using System.Text;
using Groundcrew.Bedrock;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Groundcrew.Edge;

/// <summary>What the status port answers: health (T-06), metrics, the table that serves, its certificates, and what is held back (AZ-48).</summary>
internal sealed class StatusDoor(EdgeTable table, EdgeCertificates certificates, AccessLog log, EdgeMeters meters, MetricRegistry metrics, TimeProvider clock)
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
        endpoints.MapGet("/certificates", () => Results.Json(Certificates(), Json.Indented));
        endpoints.MapGet("/routes", () => table.Current is { } current
            ? Results.Json(current, Json.Indented)
            : Results.Json(new { title = "No table", status = StatusCodes.Status404NotFound, code = "no-table", detail = "No route table was loaded or applied yet." },
                Json.Options, MediaTypeNames.Application.ProblemJson, StatusCodes.Status404NotFound));
    }

    /// <summary>What is served to whom, and until when; keys are shown to nobody.</summary>
    private object Certificates()
    {
        var (state, current) = (certificates.State, certificates.Current);
        return new
        {
            state.Generation,
            state.Serving,
            state.Problem,
            state.Missing,
            certificates = current.Held.Select(h => new
            {
                id = h.Key,
                serves = current.Served.Where(s => s.Value == h.Value).Select(s => s.Key).Order(StringComparer.Ordinal),
                h.Value.Info.Names,
                h.Value.Info.Issuer,
                h.Value.Info.NotBefore,
                h.Value.Info.NotAfter,
                h.Value.Info.Fingerprint,
                h.Value.NamesResponder,
                standsIn = current.StandIns.Any(s => s.Id == h.Key),
            }),
        };
    }

    /// <summary>The edge is ready as soon as it has a table, from the disk or the control plane; a log that fails and certificates that are missing only degrade it.</summary>
    private IResult Health()
    {
        var current = table.Current;
        var failure = log.Failure;
        var tls = certificates.State;
        var status = current is null ? "unhealthy" : failure is null && tls.Problem is null ? "healthy" : "degraded";
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
                certificates = tls.Problem is { } problem
                    ? new { status = "degraded", message = problem }
                    : new { status = "healthy", message = $"{tls.Certificates} certificates serve." },
            },
        };
        return Results.Json(body, Json.Options, statusCode: current is null ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK);
    }
}
