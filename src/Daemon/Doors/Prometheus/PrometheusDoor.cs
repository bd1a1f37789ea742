using Groundcrew.Daemon.Wiring;
using Groundcrew.Journal;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Doors;

/// <summary>
/// Prometheus' HTTP API below <c>/prometheus</c>, so that Grafana, promtool and scripts work (AZ-45, AZ-61, AZ-70). A
/// token of one organization asks as every other, and sees the series that carry its organization.
/// </summary>
internal static class PrometheusDoor
{
    private static readonly string[] ReadOrForm = ["GET", "POST"];
    private static readonly string[] Change = ["POST", "PUT"];

    public static void MapPrometheus(this IEndpointRouteBuilder app)
    {
        // Described by Prometheus itself, and not once more in our document.
        var root = app.MapGroup("/prometheus").ExcludeFromDescription();
        var api = root.MapGroup("/api/v1");
        foreach (var (path, handle) in ((string, Func<PrometheusRequest, Task<PrometheusAnswer>>)[])
        [
            ("query", PrometheusQueryDoor.InstantAsync), ("query_range", PrometheusQueryDoor.RangeAsync), ("query_exemplars", PrometheusQueryDoor.ExemplarsAsync),
            ("format_query", PrometheusQueryDoor.FormatAsync), ("parse_query", PrometheusQueryDoor.ParseAsync), ("labels", PrometheusSeriesDoor.LabelsAsync), ("series", PrometheusSeriesDoor.SeriesAsync),
        ])
            api.MapMethods(path, ReadOrForm, Answering(handle)).NeedsInAnyOrg(Role.Viewer);
        foreach (var (path, handle) in ((string, Func<PrometheusRequest, Task<PrometheusAnswer>>)[])
        [
            ("label/{name}/values", PrometheusSeriesDoor.ValuesAsync), ("targets", PrometheusTargetsDoor.TargetsAsync), ("targets/metadata", PrometheusTargetsDoor.TargetMetadataAsync), ("scrape_pools", PrometheusTargetsDoor.PoolsAsync),
            ("metadata", PrometheusTargetsDoor.MetadataAsync), ("rules", PrometheusStatusDoor.RulesAsync), ("alerts", PrometheusStatusDoor.AlertsAsync),
            ("alertmanagers", PrometheusStatusDoor.AlertmanagersAsync), ("status/buildinfo", PrometheusStatusDoor.BuildAsync), ("status/tsdb", PrometheusStatusDoor.StoreAsync),
        ])
            api.MapGet(path, Answering(handle)).NeedsInAnyOrg(Role.Viewer);
        foreach (var (path, handle) in ((string, Func<PrometheusRequest, Task<PrometheusAnswer>>)[])
        [
            ("status/config", PrometheusStatusDoor.ConfigAsync), ("status/flags", PrometheusStatusDoor.FlagsAsync), ("status/runtimeinfo", PrometheusStatusDoor.RuntimeAsync),
            ("status/walreplay", PrometheusStatusDoor.ReplayAsync), ("notifications", PrometheusStatusDoor.NotificationsAsync),
        ])
            api.MapGet(path, Answering(handle)).Needs(Role.Viewer);
        api.MapMethods("admin/tsdb/delete_series", Change, Answering(PrometheusAdminDoor.DeleteAsync)).Needs(Role.Admin);
        api.MapMethods("admin/tsdb/clean_tombstones", Change, Answering(PrometheusAdminDoor.CleanAsync)).Needs(Role.Admin);
        api.MapPost("write", PrometheusWriteDoor.ReceiveAsync).Needs(Role.Deployer);
        root.MapGet("/federate", FederateAsync).NeedsInAnyOrg(Role.Viewer);
        root.MapMethods("/-/reload", Change, PrometheusAdminDoor.ReloadAsync).Needs(Role.Admin);
        root.MapGet("/-/healthy", () => Results.Text("Prometheus Server is Healthy.\n")).OpenToAll();
        root.MapGet("/-/ready", () => Results.Text("Prometheus Server is Ready.\n")).OpenToAll();
    }

    private static async Task FederateAsync(HttpContext http)
    {
        var clock = http.RequestServices.GetRequiredService<TimeProvider>();
        var request = new PrometheusRequest(http, await PrometheusParameters.ReadAsync(http), http.RequestServices.GetRequiredService<Monitoring>(), clock);
        try
        {
            var selectors = request.Selectors();
            http.Response.ContentType = Federation.ContentType;
            new Federation(request.Monitoring.Config.Config.Global.ExternalLabels).Write(request.Source, selectors, clock.GetUtcNow(), http.Response.BodyWriter, http.RequestAborted);
            await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
        }
        catch (PrometheusErrorException error) when (!http.Response.HasStarted)
        {
            await Results.Text(error.Message + "\n", statusCode: error.Status).ExecuteAsync(http);
        }
    }

    /// <summary>A handler whose errors are answered as Prometheus answers them.</summary>
    private static RequestDelegate Answering(Func<PrometheusRequest, Task<PrometheusAnswer>> handle) => async http =>
    {
        try
        {
            var parameters = await PrometheusParameters.ReadAsync(http);
            var request = new PrometheusRequest(http, parameters, http.RequestServices.GetRequiredService<Monitoring>(), http.RequestServices.GetRequiredService<TimeProvider>());
            var answer = await handle(request);
            if (ReferenceEquals(answer, PrometheusAnswer.Nothing))
                http.Response.StatusCode = StatusCodes.Status204NoContent;
            else
                await PrometheusJson.AnswerAsync(http, answer);
        }
        catch (PrometheusErrorException error) when (!http.Response.HasStarted)
        {
            await PrometheusJson.AnswerAsync(http, error);
        }
    };
}
