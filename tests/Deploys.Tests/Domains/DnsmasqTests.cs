using System.Diagnostics;
using System.Net;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>The client against a DNS server that others wrote.</summary>
public sealed class DnsmasqTests : IAsyncLifetime
{
    private readonly IPEndPoint _address = new(IPAddress.Loopback, FreePort.Next());
    private Process _dnsmasq = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private DnsClient Client => new(new DnsClientOptions([_address]) { Patience = TimeSpan.FromSeconds(30) }, TimeProvider.System);

    public async ValueTask InitializeAsync()
    {
        string[] arguments =
        [
            "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file", "--user=", "--group=", "--listen-address=127.0.0.1", "--bind-interfaces",
            $"--port={_address.Port}", "--local=/test/", "--host-record=edge.test,192.0.2.1,2001:db8::1", "--cname=app.test,edge.test", "--cname=www.test,app.test",
            "--txt-record=_groundcrew.app.test,groundcrew-verify=abc", $"--txt-record=long.test,{new string('x', 200)},{new string('y', 200)}",
            .. Enumerable.Range(1, 60).Select(i => $"--host-record=many.test,192.0.2.{i}"),
        ];
        _dnsmasq = Process.Start(new ProcessStartInfo("dnsmasq", arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        _dnsmasq.ErrorDataReceived += (_, _) => { };
        _dnsmasq.BeginErrorReadLine();
        var impatient = new DnsClient(new DnsClientOptions([_address]) { Rounds = 1 }, TimeProvider.System);
        await Eventually.TrueAsync(async () =>
        {
            Assert.False(_dnsmasq.HasExited, "dnsmasq ended");
            return (await impatient.AskAsync("edge.test", DnsType.A, Ct)).IsWord;
        }, "dnsmasq answers");
    }

    public async ValueTask DisposeAsync()
    {
        _dnsmasq.Kill();
        await _dnsmasq.WaitForExitAsync(CancellationToken.None);
        _dnsmasq.Dispose();
    }

    [Fact]
    public async Task Aliases_addresses_and_texts_are_read()
    {
        var trail = await Client.FollowAsync("www.test", Ct);
        Assert.Equal(["app.test", "edge.test"], trail.Aliases);
        Assert.Equal(["192.0.2.1", "2001:db8::1"], trail.Addresses.Select(a => a.ToString()));
        Assert.Equal(["groundcrew-verify=abc"], (await Client.TextsAsync("_groundcrew.app.test", Ct)).Texts);
        Assert.Equal([new string('x', 200) + new string('y', 200)], (await Client.TextsAsync("long.test", Ct)).Texts);
    }

    [Fact]
    public async Task A_long_answer_comes_over_tcp() =>
        Assert.Equal(60, (await Client.AskAsync("many.test", DnsType.A, Ct)).Records.Count);

    [Fact]
    public async Task No_name_and_no_data_are_told_apart_and_what_it_may_not_find_is_refused()
    {
        Assert.Equal(DnsOutcome.NoName, (await Client.AskAsync("none.test", DnsType.A, Ct)).Outcome);
        Assert.Equal(DnsOutcome.NoData, (await Client.AskAsync("edge.test", DnsType.Txt, Ct)).Outcome);
        Assert.Equal(DnsOutcome.Failed, (await Client.AskAsync("www.example.org", DnsType.A, Ct)).Outcome);
    }
}
