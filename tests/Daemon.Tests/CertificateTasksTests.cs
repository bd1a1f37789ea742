using System.Net;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Deploys;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Fleet.Tests.OnNode;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>The edge's end of the link for certificates, against a control plane on a real socket.</summary>
public sealed class CertificateTasksTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly SeenSignals _signals = new();
    private readonly DevelopmentAuthority _authority = DevelopmentAuthority.New(TimeProvider.System);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_set_is_fetched_in_batches_served_and_reported()
    {
        await using var control = await FakeControlPlane.StartAsync();
        var names = Enumerable.Range(0, CertificatesQuestion.MaxIds + 5).Select(i => $"a{i}.localhost").ToList();
        var set = SetOf(control, 1, [.. names.Select(n => (Added(control, n), n))]);
        var edge = Edge();
        await using var running = Start(control, edge);
        Say(control, 1, set);

        var report = await ReportedAsync(control, r => r.Serving == 1);
        Assert.Equal((names.Count, (string?)null), (report.Certificates, report.Problem));
        Assert.Equal([CertificatesQuestion.MaxIds, 5], control.CertificateQuestions);
        Assert.Equal(1, control.Latest[CertificatesReport.Key].Generation);
        // Nothing on the way was called a problem that is none.
        Assert.All(control.Reports.SelectMany(r => r.Reports), r => Assert.Null(r.Status.Deserialize<CertificatesReport>(Json.Options)!.Problem));

        // Another edge on the same disk asks for nothing.
        await running.DisposeAsync();
        Assert.Equal(1, Edge().State.Serving);
        Assert.Empty(_signals.All);
    }

    [Fact]
    public async Task A_control_plane_that_fails_is_asked_again_and_one_that_lacks_a_certificate_hears_which()
    {
        await using var control = await FakeControlPlane.StartAsync();
        control.FailCertificatesWith = HttpStatusCode.InternalServerError;
        var (here, late) = (Added(control, "here.localhost"), Ids.New(TimeProvider.System));
        var set = SetOf(control, 3, (here, "here.localhost"), (late, "late.localhost"));
        var edge = Edge();
        await using var running = Start(control, edge);
        Say(control, 1, set);

        await ReportedAsync(control, r => r.Problem?.Contains(here.ToString(), StringComparison.Ordinal) == true);
        control.FailCertificatesWith = null;
        var report = await ReportedAsync(control, r => r.Certificates == 1);
        Assert.Equal(0, report.Serving);
        Assert.Contains($"certificate {late} is not here yet", report.Problem, StringComparison.Ordinal);

        Added(control, "late.localhost", late);
        report = await ReportedAsync(control, r => r.Serving == 3);
        Assert.Equal((2, (string?)null), (report.Certificates, report.Problem));
    }

    [Fact]
    public async Task A_newer_set_is_taken_at_once_and_an_older_one_is_refused_with_words()
    {
        await using var control = await FakeControlPlane.StartAsync();
        var id = Added(control, "a.localhost");
        var edge = Edge();
        await using var running = Start(control, edge);
        Say(control, 1, SetOf(control, 5, (Ids.New(TimeProvider.System), "b.localhost")));
        await ReportedAsync(control, r => r.Problem is not null);
        Say(control, 2, SetOf(control, 6, (id, "a.localhost")));
        await ReportedAsync(control, r => r is { Serving: 6, Problem: null });

        Say(control, 3, SetOf(control, 4));
        var report = await ReportedAsync(control, r => r.Problem is not null);
        Assert.Equal((6, "it serves the newer generation 6"), (report.Serving, report.Problem));
        Say(control, 4, SetOf(control, 7) with { Platform = Ids.New(TimeProvider.System) });
        await ReportedAsync(control, r => r.Problem?.Contains("another platform", StringComparison.Ordinal) == true);
        Say(control, 5, SetOf(control, 8));
        report = await ReportedAsync(control, r => r.Problem is null);
        Assert.Equal((8, 0), (report.Serving, report.Certificates));
    }

    private static CertificateSet SetOf(FakeControlPlane control, long generation, params (Guid Id, string Name)[] certificates) =>
        new(generation, control.Platform, [.. certificates.Select(c => new CertificateReference(c.Id, [c.Name]))]);

    private static void Say(FakeControlPlane control, long revision, CertificateSet set) =>
        control.Say(revision, [new NodeTask(CertificatesReport.Key, CertificatesReport.Kind, set.Generation, JsonSerializer.SerializeToElement(set, Json.Options))]);

    private static async Task<CertificatesReport> ReportedAsync(FakeControlPlane control, Func<CertificatesReport, bool> isIt)
    {
        CertificatesReport? report = null;
        await Eventually.TrueAsync(
            () => control.Latest.TryGetValue(CertificatesReport.Key, out var latest) && isIt(report = latest.Status.Deserialize<CertificatesReport>(Json.Options)!),
            "the report is as expected");
        return report!;
    }

    private Guid Added(FakeControlPlane control, string name, Guid? known = null)
    {
        var (id, certificate) = (known ?? Ids.New(TimeProvider.System), _authority.Issue(name).Value!);
        control.Certificates[id] = (certificate.Chain, certificate.Key.Reveal());
        return id;
    }

    private EdgeCertificates Edge() => new(new EdgeOptions { StateFolder = _folder.Path }, DurableFiles.Real, new MetricRegistry(), _signals, TimeProvider.System);

    private Running Start(FakeControlPlane control, EdgeCertificates edge)
    {
        var options = new NodeLinkOptions
        {
            ControlPlane = control.Address,
            Token = () => new Secret(control.Token),
            Hostname = "edge-1",
            Role = NodeRole.Edge,
            Region = "local",
            Capacity = new NodeCapacity(1000, 1),
            Version = "1.0.0",
            StateFolder = _folder.Path,
        };
        return new Running(new NodeLink(options, new MetricRegistry(), TimeProvider.System, NullLogger<NodeLink>.Instance), edge);
    }

    private sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        private readonly NodeLink _link;
        private readonly Task _loop;

        public Running(NodeLink link, EdgeCertificates edge)
        {
            _link = link;
            var tasks = new CertificateTasks(edge, new LinkSources(link), TimeProvider.System, NullLogger<CertificateTasks>.Instance);
            link.Register(tasks);
            link.Start();
            _loop = tasks.RunAsync(_stop.Token);
        }

        /// <summary>May be called again.</summary>
        public async ValueTask DisposeAsync()
        {
            if (_stop.IsCancellationRequested)
                return;
            await _stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _loop);
            await _link.DisposeAsync();
            _stop.Dispose();
        }
    }
}
