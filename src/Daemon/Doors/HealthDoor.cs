using System.Buffers;
using System.Diagnostics;
using System.Text;
using Groundcrew.Bedrock;

namespace Groundcrew.Daemon.Doors;

/// <summary>One check of a role's health: its name and what it found.</summary>
/// <param name="Name">What is looked at.</param>
/// <param name="LookAsync">Null when it is well, else what is wrong.</param>
internal sealed record HealthCheck(string Name, Func<CancellationToken, Task<string?>> LookAsync);

/// <summary>
/// The paths that every guide asks for on every role (T-06, T-07): <c>/health</c> with each check's status, message and
/// latency, <c>/health/live</c>, <c>/health/ready</c>, <c>/ready</c>, and <c>/metrics</c>. Open to all.
/// </summary>
internal static class HealthDoor
{
    public static void MapHealth(this IEndpointRouteBuilder app, string role, params HealthCheck[] checks) => app.MapHealth(role, _ => { }, checks);

    /// <param name="app">Where the paths are mapped.</param>
    /// <param name="role">The role.</param>
    /// <param name="measure">Writes further metrics behind those of the process, in the same format.</param>
    /// <param name="checks">What makes it healthy.</param>
    public static void MapHealth(this IEndpointRouteBuilder app, string role, Action<IBufferWriter<byte>> measure, params HealthCheck[] checks)
    {
        app.MapGet("/health", (CancellationToken c) => WholeAsync(role, checks, c)).OpenToAll().WithTags("health").Produces<object>().WithName("health");
        app.MapGet("/health/live", () => Answers.View(new { status = "alive" })).OpenToAll().WithTags("health").Produces<object>();
        app.MapGet("/health/ready", (CancellationToken c) => ReadyAsync(checks, c)).OpenToAll().WithTags("health").Produces<object>();
        app.MapGet("/ready", (CancellationToken c) => ReadyAsync(checks, c)).OpenToAll().WithTags("health").Produces<object>();
        app.MapGet("/metrics", (MetricRegistry metrics, HttpContext http) => WriteAsync(http, metrics, measure))
            .OpenToAll().WithTags("health").Produces<string>(200, "text/plain");
    }

    /// <summary>The metrics that every process has, under the names of the Prometheus clients and of OpenTelemetry.</summary>
    public static void ObserveProcess(MetricRegistry metrics, string role)
    {
        var self = Process.GetCurrentProcess();
        metrics.Gauge("groundcrew_build_info", "The program's version and role.", "version", "role").With(Settings.ProgramVersion.Text, role).Set(1);
        metrics.Observe("process_resident_memory_bytes", "Resident memory size in bytes.", () => Read(() =>
        {
            self.Refresh();
            return self.WorkingSet64;
        }));
        metrics.Observe("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", () => Environment.CpuUsage.TotalTime.TotalSeconds);
        metrics.Observe("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
            () => Read(() => new DateTimeOffset(self.StartTime).ToUnixTimeMilliseconds() / 1000d));
        metrics.Observe("process_open_fds", "Number of open file descriptors.", () => Read(() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count()));
        metrics.Observe("process_max_fds", "Maximum number of open file descriptors.", () => Read(MaxOpenFiles));
        metrics.Observe("process_virtual_memory_bytes", "Virtual memory size in bytes.", () => Read(() =>
        {
            self.Refresh();
            return self.VirtualMemorySize64;
        }));
        metrics.Observe("dotnet_gc_heap_total_allocated_bytes_total", "Bytes allocated on the managed heap since the process started.",
            () => GC.GetTotalAllocatedBytes());
    }

    private static async Task WriteAsync(HttpContext http, MetricRegistry metrics, Action<IBufferWriter<byte>> measure)
    {
        http.Response.ContentType = MetricRegistry.ContentType;
        Encoding.UTF8.GetBytes(metrics.WriteText(), http.Response.BodyWriter);
        measure(http.Response.BodyWriter);
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    /// <summary>The soft limit of proc(5), "limits": its third column from the right.</summary>
    private static double MaxOpenFiles()
    {
        var line = File.ReadLines("/proc/self/limits").First(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        return double.TryParse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3], out var most) ? most : double.PositiveInfinity;
    }

    /// <summary>What the kernel shows in files cannot be read without a descriptor, which is when the other metrics are wanted most.</summary>
    private static double Read(Func<double> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            return double.NaN;
        }
    }

    private static async Task<IResult> WholeAsync(string role, HealthCheck[] checks, CancellationToken cancellation)
    {
        var found = new Dictionary<string, object>();
        var well = true;
        foreach (var check in checks)
        {
            var started = Stopwatch.GetTimestamp();
            var wrong = await check.LookAsync(cancellation);
            well &= wrong is null;
            found[check.Name] = new
            {
                status = wrong is null ? "healthy" : "unhealthy",
                message = wrong ?? "ok",
                latency = $"{Stopwatch.GetElapsedTime(started).TotalMilliseconds:0}ms",
            };
        }
        return Answers.View(new { status = well ? "healthy" : "unhealthy", role, version = Settings.ProgramVersion.Text, checks = found }, well ? 200 : 503);
    }

    private static async Task<IResult> ReadyAsync(HealthCheck[] checks, CancellationToken cancellation)
    {
        var found = new Dictionary<string, string>();
        foreach (var check in checks)
            found[check.Name] = await check.LookAsync(cancellation) ?? "ok";
        var ready = found.Values.All(v => v == "ok");
        return Answers.View(new { status = ready ? "ready" : "not ready", checks = found }, ready ? 200 : 503);
    }
}
