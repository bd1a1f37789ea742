using System.Diagnostics;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class ProcessSignalsTests
{
    [Fact]
    public async Task A_signal_reaches_a_process_and_its_group()
    {
        using var child = Process.Start(new ProcessStartInfo("setsid", ["sleep", "1000"]))!;
        await Groundcrew.Tests.Support.Eventually.TrueAsync(
            () => File.ReadAllText($"/proc/{child.Id}/cmdline").StartsWith("sleep", StringComparison.Ordinal), "it leads its session");
        Assert.True(ProcessSignals.SendToGroup(child.Id, ProcessSignals.Terminate));
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(128 + ProcessSignals.Terminate, child.ExitCode);
        Assert.False(ProcessSignals.SendToGroup(child.Id, ProcessSignals.Terminate));
    }

    [Fact]
    public void A_process_that_is_gone_is_no_error()
    {
        using var child = Process.Start("true")!;
        child.WaitForExit();
        Assert.False(ProcessSignals.Send(child.Id, ProcessSignals.Kill));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    public void Everyone_our_own_group_and_init_are_never_meant(int pid)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ProcessSignals.Send(pid, ProcessSignals.Kill));
        Assert.Throws<ArgumentOutOfRangeException>(() => ProcessSignals.SendToGroup(pid, ProcessSignals.Kill));
    }
}
