using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Clusters;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Postgres.Tests.Wire;

/// <summary>The replication protocol with a real server: login in its kinds, commands, refusals.</summary>
public sealed class ReplicationConnectionTests
{
    private static readonly Secret Password = new("pass, with=odd 'signs'");

    [Fact]
    public async Task Over_the_socket_the_server_says_who_it_is()
    {
        await using var server = await TestServer.RunAsync();
        await using var connection = await OpenAsync(Socket(server));
        Assert.Equal(15, connection.MajorVersion);
        Assert.False(connection.IsStandby);
        var system = await connection.IdentifyAsync(CancellationToken.None);
        Assert.Equal(1U, system.Timeline);
        Assert.Equal(Lsn.Parse((string)(await server.AskAsync("SELECT pg_current_wal_flush_lsn()::text"))!), system.End);
        Assert.Equal("16MB", await connection.ShowAsync("wal_segment_size", CancellationToken.None));
    }

    [Fact]
    public async Task Slots_are_made_read_and_removed()
    {
        await using var server = await TestServer.RunAsync();
        await using var connection = await OpenAsync(Socket(server));
        Assert.Null(await connection.ReadSlotAsync("one", CancellationToken.None));
        await connection.CreateSlotAsync("one", isTemporary: false, CancellationToken.None);
        var made = await connection.ReadSlotAsync("one", CancellationToken.None);
        Assert.True(made is { Restart: { Value: > 0 }, Timeline: 1 });
        var twice = await Assert.ThrowsAsync<PgServerException>(() => connection.CreateSlotAsync("one", isTemporary: false, CancellationToken.None));
        Assert.Equal(PgServerException.DuplicateObject, twice.SqlState);
        Assert.True(await connection.DropSlotAsync("one", CancellationToken.None));
        Assert.False(await connection.DropSlotAsync("one", CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(() => connection.CreateSlotAsync("one; DROP", isTemporary: false, CancellationToken.None));
    }

    [Fact]
    public async Task A_refusal_has_its_code_and_words_and_the_connection_goes_on()
    {
        await using var server = await TestServer.RunAsync();
        await using var connection = await OpenAsync(Socket(server));
        await Assert.ThrowsAsync<PgServerException>(() => connection.TimelineHistoryAsync(7, CancellationToken.None));
        var stream = await connection.StartReplicationAsync(null, Lsn.Parse("FF/0"), 1, CancellationToken.None);
        var ahead = await Assert.ThrowsAsync<PgServerException>(async () => await stream.ReadAsync(CancellationToken.None));
        Assert.Contains("is ahead of the WAL flush position", ahead.Words, StringComparison.Ordinal);
        Assert.Equal(1U, (await connection.IdentifyAsync(CancellationToken.None)).Timeline);
    }

    [Fact]
    public async Task A_place_that_the_server_no_longer_has_is_told_as_a_missing_file()
    {
        await using var server = await TestServer.RunAsync();
        await using var connection = await OpenAsync(Socket(server));
        var stream = await connection.StartReplicationAsync(null, new Lsn(0), 1, CancellationToken.None);
        var gone = await Assert.ThrowsAsync<PgServerException>(async () => await stream.ReadAsync(CancellationToken.None));
        Assert.Equal(PgServerException.UndefinedFile, gone.SqlState);
        Assert.Equal(1U, (await connection.IdentifyAsync(CancellationToken.None)).Timeline);
    }

    [Fact]
    public async Task The_log_comes_in_order_and_answers_are_given_when_asked_for()
    {
        await using var server = await TestServer.RunAsync();
        await using var connection = await OpenAsync(Socket(server));
        var end = (await connection.IdentifyAsync(CancellationToken.None)).End;
        var stream = await connection.StartReplicationAsync(null, end.SegmentStart(), 1, CancellationToken.None);
        var at = end.SegmentStart();
        var answered = false;
        await stream.SendStatusAsync(at, at, DateTimeOffset.UtcNow, true, CancellationToken.None);
        while (at < end || !answered)
        {
            var message = (await stream.ReadAsync(CancellationToken.None))!.Value;
            Assert.Equal(at, message.Bytes.Length > 0 ? message.Start : at);
            at += message.Bytes.Length;
            answered |= message.Bytes.Length == 0;
            Assert.InRange(message.ServerTime, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5));
        }
    }

    [Fact]
    public async Task A_password_is_proven_by_SCRAM_and_a_wrong_one_is_refused()
    {
        await using var server = await OverTcpAsync();
        await using var connection = await OpenAsync(Tcp(server));
        Assert.Equal(1U, (await connection.IdentifyAsync(CancellationToken.None)).Timeline);
        var wrong = await Assert.ThrowsAsync<PgServerException>(() => OpenAsync(Tcp(server) with { Password = new Secret("wrong") }));
        Assert.True(wrong.IsLogin);
        var none = await Assert.ThrowsAsync<WireException>(() => OpenAsync(Tcp(server) with { Password = null }));
        Assert.Contains("none is known", none.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TLS_that_the_server_does_not_offer_is_refused()
    {
        await using var server = await OverTcpAsync();
        var refused = await Assert.ThrowsAsync<WireException>(() => OpenAsync(Tcp(server) with { Tls = WireTls.Required }));
        Assert.Contains("offers no TLS", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Over_TLS_the_server_is_known_by_its_certificate()
    {
        await using var server = await OverTcpAsync();
        var pem = await WithTlsAsync(server);
        var localhost = Tcp(server) with { Host = "localhost" };
        await (await OpenAsync(localhost with { Tls = WireTls.Required })).DisposeAsync();
        await (await OpenAsync(localhost with { Tls = WireTls.Verified, AuthorityPem = pem })).DisposeAsync();
        await Assert.ThrowsAsync<WireException>(() => OpenAsync(localhost with { Tls = WireTls.Verified }));
        await Assert.ThrowsAsync<WireException>(() => OpenAsync(Tcp(server) with { Tls = WireTls.Verified, AuthorityPem = pem }));
    }

    [Fact]
    public async Task The_password_itself_is_only_sent_over_TLS_and_MD5_never()
    {
        await using var server = await OverTcpAsync();
        await WithTlsAsync(server);
        await AllowAsync(server, "password");
        var refused = await Assert.ThrowsAsync<WireException>(() => OpenAsync(Tcp(server)));
        Assert.Contains("it is not sent", refused.Message, StringComparison.Ordinal);
        await (await OpenAsync(Tcp(server) with { Tls = WireTls.Required })).DisposeAsync();

        await server.AskAsync("SET password_encryption = 'md5'; ALTER ROLE crew_replica PASSWORD 'old'");
        await AllowAsync(server, "md5");
        var md5 = await Assert.ThrowsAsync<WireException>(() => OpenAsync(Tcp(server) with { Password = new Secret("old") }));
        Assert.Contains("MD5", md5.Message, StringComparison.Ordinal);

        await AllowAsync(server, "trust");
        await (await OpenAsync(Tcp(server) with { Password = null })).DisposeAsync();
    }

    [Theory]
    [InlineData("postgres://backup@db.example.org", "db.example.org", 5432, "backup", "Required")]
    [InlineData("postgresql://b%40x:p%3Aw@[::1]:6000/?sslmode=disable", "::1", 6000, "b@x", "Off")]
    [InlineData("postgres://backup@db/?application_name=x&sslmode=verify-full", "db", 5432, "backup", "Verified")]
    public void An_address_is_read(string url, string host, int port, string user, string tls)
    {
        var target = ReplicationTarget.Parse(url);
        Assert.Equal((host, port, user, tls), (target.Host, target.Port, target.User, target.Tls.ToString()));
        Assert.DoesNotContain("p:w", target.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://backup@db")]
    [InlineData("postgres://db")]
    [InlineData("postgres://backup@db/?sslmode=allow")]
    [InlineData("db")]
    public void An_address_that_is_none_is_refused(string url) => Assert.Throws<FormatException>(() => ReplicationTarget.Parse(url));

    [Fact]
    public async Task A_server_that_does_not_answer_is_given_up()
    {
        using var silent = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, FreePort.Next());
        silent.Start();
        var target = new ReplicationTarget
        {
            Host = "127.0.0.1", Port = ((System.Net.IPEndPoint)silent.LocalEndpoint).Port, User = "x", ConnectLimit = TimeSpan.FromMilliseconds(300),
        };
        var late = await Assert.ThrowsAsync<WireException>(() => OpenAsync(target));
        Assert.Contains("did not answer", late.Message, StringComparison.Ordinal);
    }

    private static Task<ReplicationConnection> OpenAsync(ReplicationTarget target) => ReplicationConnection.OpenAsync(target, TimeProvider.System, CancellationToken.None);

    private static ReplicationTarget Socket(TestServer server) => ReplicationTarget.Local(server.Server.Options.SocketFolder, server.Server.Options.Port);

    private static ReplicationTarget Tcp(TestServer server) => new() { Host = "127.0.0.1", Port = server.Server.Options.Port, User = "crew_replica", Password = Password };

    private static async Task<TestServer> OverTcpAsync()
    {
        var server = await TestServer.RunAsync(new Dictionary<string, string>(TestServer.Small) { ["listen_addresses"] = "127.0.0.1", ["password_encryption"] = "scram-sha-256" });
        await server.AskAsync($"CREATE ROLE crew_replica LOGIN REPLICATION PASSWORD '{Password.Reveal().Replace("'", "''", StringComparison.Ordinal)}'");
        await AllowAsync(server, "scram-sha-256");
        return server;
    }

    private static async Task AllowAsync(TestServer server, string method)
    {
        var path = Path.Combine(server.Server.Options.DataFolder, "pg_hba.conf");
        await File.WriteAllTextAsync(path, $"local all all peer map=crew\nlocal replication all peer map=crew\nhost replication crew_replica 127.0.0.1/32 {method}\nhost replication crew_replica ::1/128 {method}\n");
        TestServer.Binaries.User.Own(path);
        var before = await server.AskAsync("SELECT pg_conf_load_time()");
        server.Server.Reload();
        await Eventually.TrueAsync(async () => !Equals(await server.AskAsync("SELECT pg_conf_load_time()"), before), "the rules are read");
    }

    private static async Task<string> WithTlsAsync(TestServer server)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        foreach (var (name, text) in (IEnumerable<(string, string)>)[("server.crt", certificate.ExportCertificatePem()), ("server.key", key.ExportPkcs8PrivateKeyPem())])
        {
            var path = Path.Combine(server.Server.Options.DataFolder, name);
            await File.WriteAllTextAsync(path, text);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            TestServer.Binaries.User.Own(path);
        }
        server.Server.WriteSettings(new Dictionary<string, string>(TestServer.Small) { ["listen_addresses"] = "127.0.0.1", ["ssl"] = "on" });
        server.Server.Reload();
        await Eventually.TrueAsync(async () => await server.AskAsync("SHOW ssl") is "on", "TLS is on");
        return certificate.ExportCertificatePem();
    }
}
