using Groundcrew.Daemon.Wiring;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>Changes through Prometheus' API, for admins, each of them audited.</summary>
internal static class PrometheusAdminDoor
{
    public static async Task<PrometheusAnswer> DeleteAsync(PrometheusRequest request)
    {
        if (request.Parameters.All("match[]").Count == 0)
            throw PrometheusErrorException.BadData("no match[] parameter provided");
        var (from, to) = request.Times();
        foreach (var selector in request.Selectors())
            request.Monitoring.Store.Delete(selector, from, to);
        await AuditAsync(request.Http, "metrics.delete", string.Join(' ', request.Parameters.All("match[]")));
        return PrometheusAnswer.Nothing;
    }

    public static async Task<PrometheusAnswer> CleanAsync(PrometheusRequest request)
    {
        request.Monitoring.Store.CleanTombstones();
        await AuditAsync(request.Http, "metrics.clean", "tombstones");
        return PrometheusAnswer.Nothing;
    }

    /// <summary>Reads <c>prometheus.yml</c> again; a bad one leaves the one before it (with its problems as the answer).</summary>
    public static async Task ReloadAsync(HttpContext http)
    {
        if (await http.RequestServices.GetRequiredService<Monitoring>().ReloadAsync(http.RequestAborted) is { Count: > 0 } problems)
        {
            await Answers.BadInput(problems).ExecuteAsync(http);
            return;
        }
        await AuditAsync(http, "metrics.reload", "prometheus.yml");
    }

    private static async Task AuditAsync(HttpContext http, string action, string subject)
    {
        var (store, audit) = (http.RequestServices.GetRequiredService<Store>(), http.RequestServices.GetRequiredService<Audit>());
        await store.WriteAsync((db, _) =>
        {
            audit.Write(db, http.Actor(), action, subject.Length > 200 ? subject[..200] : subject, "done", null);
            return Task.FromResult(true);
        }, http.RequestAborted);
    }
}
