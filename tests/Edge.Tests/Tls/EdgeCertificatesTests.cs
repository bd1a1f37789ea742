using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Sets;

namespace Groundcrew.Edge.Tests;

/// <summary>Which certificate serves which name, and what the disk keeps of it.</summary>
public sealed class EdgeCertificatesTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly SeenSignals _signals = new();
    private readonly ManualClock _clock = new();
    private readonly MetricRegistry _metrics = new();
    private readonly TestAuthority _authority = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_exact_name_goes_before_an_asterisk_and_the_first_of_two_before_the_second()
    {
        var (wild, exact, second) = (NewId(), NewId(), NewId());
        var certificates = Open();
        Assert.IsType<ApplyOutcome.Applied>(certificates.Apply(
            Of(1, Named(wild, "*.example.org"), Named(exact, "a.example.org", "Example.org"), Named(second, "a.example.org", "b.example.org")),
            With((wild, _authority.Issue("*.example.org")), (exact, _authority.Issue("a.example.org", "example.org")), (second, _authority.Issue("a.example.org", "b.example.org")))));

        Assert.Null(certificates.State.Problem);
        Assert.Equal((1, 1, 3), (certificates.State.Generation, certificates.State.Serving, certificates.State.Certificates));
        Assert.Equal(exact, Serving(certificates, "A.example.org"));
        Assert.Equal(second, Serving(certificates, "b.example.org"));
        Assert.Equal(wild, Serving(certificates, "c.example.org"));
        Assert.Equal(exact, Serving(certificates, "example.org"));
        foreach (var nobodys in (string[])["a.b.example.org", ".example.org", "org", "*.example.org", "example.com", new string('x', 300) + ".example.org"])
            Assert.Null(Serving(certificates, nobodys));
    }

    [Fact]
    public void A_name_of_another_script_is_found_as_it_is_decoded_and_as_it_travels()
    {
        var certificates = Open();
        certificates.Serve(1, _authority.Issue("xn--bcher-kva.example.org"), "xn--bcher-kva.example.org");

        Assert.NotNull(certificates.Current.Find("bücher.example.org"));
        Assert.NotNull(certificates.Current.Find("xn--bcher-kva.example.org"));
        Assert.Null(certificates.Current.Find("\ud800.example.org"));
    }

    [Fact]
    public void A_missing_certificate_holds_no_other_back_and_is_named_until_it_comes()
    {
        var (here, late) = (NewId(), NewId());
        var set = Of(3, Named(here, "here.example.org"), Named(late, "late.example.org"));
        var certificates = Open();
        Assert.IsType<ApplyOutcome.Applied>(certificates.Apply(set, With((here, _authority.Issue("here.example.org")))));
        Assert.Equal([late], certificates.State.Missing);
        Assert.Equal((3, 0, 1), (certificates.State.Generation, certificates.State.Serving, certificates.State.Certificates));
        Assert.Contains(late.ToString(), certificates.State.Problem, StringComparison.Ordinal);
        Assert.Equal(here, Serving(certificates, "here.example.org"));
        Assert.Null(Serving(certificates, "late.example.org"));

        var changed = certificates.Changed.Next;
        Assert.IsType<ApplyOutcome.SameAlready>(certificates.Apply(set, Nothing));
        Assert.False(changed.IsCompleted);
        Assert.IsType<ApplyOutcome.Applied>(certificates.Apply(set, With((late, _authority.Issue("late.example.org")))));
        Assert.True(changed.IsCompleted);
        Assert.Equal((3, 2, (string?)null), (certificates.State.Serving, certificates.State.Certificates, certificates.State.Problem));
        Assert.Equal(late, Serving(certificates, "late.example.org"));
    }

    [Fact]
    public void A_certificate_that_is_replaced_serves_on_until_its_successor_is_here_also_after_a_restart()
    {
        var (old, oldWild, renewed, wild) = (NewId(), NewId(), NewId(), NewId());
        Open().Apply(
            Of(1, Named(old, "a.example.org", "gone.example.org"), Named(oldWild, "*.wild.example.org")),
            With((old, _authority.Issue("a.example.org", "gone.example.org")), (oldWild, _authority.Issue("*.wild.example.org"))));
        // The new set names one host of the old asterisk by itself, and has an asterisk over the old host.
        var set = Of(2, Named(renewed, "one.wild.example.org"), Named(wild, "*.example.org"));
        Open().Apply(set, Nothing);

        var certificates = Open();
        Assert.Empty(_signals.All);
        Assert.Equal(old, Serving(certificates, "a.example.org"));
        Assert.Equal(oldWild, Serving(certificates, "one.wild.example.org"));
        Assert.Null(Serving(certificates, "two.wild.example.org"));
        Assert.Equal([renewed, wild], certificates.State.Missing);

        certificates.Apply(set, With((renewed, _authority.Issue("one.wild.example.org")), (wild, _authority.Issue("*.example.org"))));
        Assert.Equal(wild, Serving(certificates, "a.example.org"));
        Assert.Equal(renewed, Serving(certificates, "one.wild.example.org"));
        Assert.Equal(
            new[] { renewed, wild }.Select(id => $"{id}.sealed").Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(_folder["certificates"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Older_sets_other_platforms_and_another_set_of_the_same_generation_are_refused()
    {
        var id = NewId();
        var certificates = Open();
        certificates.Apply(Of(5, Named(id, "a.example.org")), With((id, _authority.Issue("a.example.org"))));

        Assert.Equal(new ApplyOutcome.RefusedOlder(5), certificates.Apply(Of(4), Nothing));
        Assert.Equal(new ApplyOutcome.RefusedOtherPlatform(Tables.Platform), certificates.Apply(Of(6) with { Platform = NewId() }, Nothing));
        var used = Assert.IsType<ApplyOutcome.RefusedProblems>(certificates.Apply(Of(5), Nothing));
        Assert.Equal("generation-used", Assert.Single(used.Problems).Code);
        Assert.Equal(id, Serving(certificates, "a.example.org"));
        Assert.Equal(new ApplyOutcome.RefusedOlder(5), Open().Apply(Of(4), Nothing));
    }

    [Fact]
    public void Everything_that_is_wrong_with_a_set_is_said_at_once()
    {
        var id = NewId();
        var refused = Assert.IsType<ApplyOutcome.RefusedProblems>(Open().Apply(
            new CertificateSet(0, Guid.Empty, [Named(Guid.Empty, "a"), Named(id, "b"), Named(id, ""), new CertificateReference(NewId(), null!), null!]), Nothing));
        Assert.Equal(
            [
                "bad-generation generation", "missing platform", "missing certificates[0].id", "duplicate-certificate certificates[2].id", "bad-host certificates[2].names",
                "missing certificates[3].names", "missing certificates[4]",
            ],
            refused.Problems.Select(p => $"{p.Code} {p.Path}"));
        Assert.IsType<ApplyOutcome.RefusedProblems>(Open().Apply(new CertificateSet(1, NewId(), null!), Nothing));
    }

    [Fact]
    public void A_certificate_that_cannot_be_opened_is_a_problem_with_its_id_and_no_key_in_it()
    {
        var (good, torn, mixed, odd) = (NewId(), NewId(), NewId(), NewId());
        var (one, other) = (_authority.Issue("mixed.example.org"), _authority.Issue("other.example.org"));
        var certificates = Open();
        certificates.Apply(
            Of(1, Named(good, "good.example.org"), Named(torn, "torn.example.org"), Named(mixed, "mixed.example.org"), Named(odd, "odd.example.org")),
            With((good, _authority.Issue("good.example.org")), (torn, new KeyedCertificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", one.Key)),
                (mixed, new KeyedCertificate(one.Chain, other.Key)), (odd, new KeyedCertificate("", new Secret("nothing")))));

        Assert.Equal([torn, mixed, odd], certificates.State.Missing);
        foreach (var id in (Guid[])[torn, mixed, odd])
            Assert.Contains($"certificate {id} cannot be opened: ", certificates.State.Problem, StringComparison.Ordinal);
        foreach (var line in other.Key.Reveal().Split('\n').Where(l => l.Length > 20))
            Assert.DoesNotContain(line, certificates.State.Problem, StringComparison.Ordinal);
        Assert.Equal(good, Serving(certificates, "good.example.org"));
    }

    [Fact]
    public void A_certificate_never_serves_a_name_that_it_is_not_for_whatever_the_set_says()
    {
        var id = NewId();
        var certificates = Open();
        certificates.Apply(Of(1, Named(id, "a.example.org", "b.example.org", "*.a.example.org")), With((id, _authority.Issue("a.example.org"))));

        Assert.NotNull(Serving(certificates, "a.example.org"));
        Assert.Null(Serving(certificates, "b.example.org"));
        Assert.Null(Serving(certificates, "c.a.example.org"));
        Assert.Contains($"{id} is not for b.example.org", certificates.State.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void When_a_certificate_ends_is_a_metric_for_as_long_as_its_name_is_served()
    {
        var certificates = Open();
        var certificate = _authority.Issue("a.example.org", "b.example.org");
        certificates.Serve(1, certificate, "a.example.org", "b.example.org");
        var ends = certificates.Current.Find("a.example.org")!.Info.NotAfter.ToUnixTimeSeconds();
        Assert.Contains($"groundcrew_edge_certificate_not_after_timestamp_seconds{{name=\"b.example.org\"}} {ends}\n", _metrics.WriteText(), StringComparison.Ordinal);

        certificates.Serve(2, _authority.Issue("a.example.org"), "a.example.org");
        Assert.Contains("{name=\"a.example.org\"}", _metrics.WriteText(), StringComparison.Ordinal);
        Assert.DoesNotContain("{name=\"b.example.org\"}", _metrics.WriteText(), StringComparison.Ordinal);
        Assert.Contains("groundcrew_edge_certificates_generation 2\n", _metrics.WriteText(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_kept_is_private_and_shows_no_key()
    {
        var certificate = _authority.Issue("a.example.org");
        Open().Serve(1, certificate, "a.example.org");
        var key = Encoding.ASCII.GetBytes(certificate.Key.Reveal().Split('\n')[1]);
        foreach (var file in Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories))
        {
            Assert.Equal(DurableFiles.Private, File.GetUnixFileMode(file));
            Assert.Equal(-1, File.ReadAllBytes(file).AsSpan().IndexOf(key));
        }
    }

    [Theory]
    [InlineData("certificates.json", 0)]
    [InlineData("certificates.json", 100)]
    [InlineData("first", 0)]
    [InlineData("first", 60)]
    [InlineData("seal.key", 31)]
    public void A_torn_file_is_set_aside_with_a_signal_and_what_is_whole_serves(string file, int bytes)
    {
        var (first, second) = (NewId(), NewId());
        var set = Of(1, Named(first, "first.example.org"), Named(second, "second.example.org"));
        var fetched = With((first, _authority.Issue("first.example.org")), (second, _authority.Issue("second.example.org")));
        Open().Apply(set, fetched);
        var path = file == "first" ? Path.Combine(_folder["certificates"], $"{first}.sealed") : _folder[file];
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..bytes]);

        var certificates = Open();
        var signal = Assert.Single(_signals.All);
        Assert.Equal(("edge-certificates-unreadable", SignalUrgency.Urgent), (signal.Kind, signal.Urgency));
        Assert.True(File.Exists(path + ".bad"));
        Assert.Null(Serving(certificates, "first.example.org"));
        Assert.Equal(file == "first" ? second : null, Serving(certificates, "second.example.org"));
        // The control plane sends all of it again.
        certificates.Apply(set, fetched);
        Assert.Null(certificates.State.Problem);
        Assert.Equal(first, Serving(Open(), "first.example.org"));
        Assert.Single(_signals.All);
    }

    [Fact]
    public void A_file_of_a_newer_version_is_set_aside_with_the_version_named()
    {
        File.WriteAllText(_folder["certificates.json"], """{"version":2,"sha256":"","certificates":{}}""");
        Open();
        Assert.Contains("version 2", Assert.Single(_signals.All).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DurableStep.Create)]
    [InlineData(DurableStep.Write)]
    [InlineData(DurableStep.SyncFile)]
    [InlineData(DurableStep.Rename)]
    [InlineData(DurableStep.SyncFolder)]
    public void A_disk_that_fails_keeps_nothing_from_serving_and_the_next_try_mends_it(DurableStep step)
    {
        var isFailing = true;
        var files = new DurableFiles((at, path) =>
        {
            if (isFailing && at == step && !path.EndsWith("seal.key", StringComparison.Ordinal))
                throw new IOException("The disk is full.");
        });
        var id = NewId();
        var set = Of(1, Named(id, "a.example.org"));
        var certificates = Open(files);
        Assert.Equal("The disk is full.", Assert.IsType<ApplyOutcome.NotKept>(certificates.Apply(set, With((id, _authority.Issue("a.example.org"))))).Reason);
        Assert.Equal(id, Serving(certificates, "a.example.org"));
        Assert.Equal((1, 0), (certificates.State.Generation, certificates.State.Serving));
        Assert.Contains("The disk is full.", certificates.State.Problem, StringComparison.Ordinal);

        isFailing = false;
        Assert.IsType<ApplyOutcome.Applied>(certificates.Apply(set, Nothing));
        Assert.Equal((1, (string?)null), (certificates.State.Serving, certificates.State.Problem));
        Assert.Equal(id, Serving(Open(), "a.example.org"));
    }

    [Fact]
    public void Golden_files_of_version_1_are_read_and_written_as_they_were()
    {
        var golden = Path.Combine(AppContext.BaseDirectory, "golden", "certificates-v1");
        foreach (var file in Directory.EnumerateFiles(golden, "*", SearchOption.AllDirectories))
        {
            var copy = _folder[Path.GetRelativePath(golden, file)];
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        var certificates = Open();

        Assert.Empty(_signals.All);
        Assert.Equal((42, 1), (certificates.State.Generation, certificates.State.Certificates));
        Assert.Equal("CN=Groundcrew development authority", certificates.Current.Find("golden.localhost")!.Info.Issuer);
        Assert.Equal(["standing.localhost"], Assert.Single(certificates.Current.StandIns).Names);
        Assert.Equal(File.ReadAllBytes(Path.Combine(golden, "certificates.json")), CertificateFiles.Encode(certificates.Current.Kept));
    }

    private static Guid? Serving(EdgeCertificates certificates, string name) => certificates.Current.Find(name) is { } found
        ? certificates.Current.Held.Single(h => h.Value == found).Key
        : null;

    private EdgeCertificates Open(DurableFiles? files = null) =>
        new(new EdgeOptions { StateFolder = _folder.Path }, files ?? DurableFiles.Real, _metrics, _signals, _clock);
}
