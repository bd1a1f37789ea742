using System.Diagnostics;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class ProcessIdentityTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void The_process_that_runs_this_knows_itself()
    {
        Assert.Equal(Environment.ProcessId, ProcessIdentity.Self.Pid);
        Assert.True(ProcessIdentity.Self.IsAlive());
        Assert.Equal(ProcessIdentity.Self, ProcessIdentity.Of(Environment.ProcessId));
    }

    [Fact]
    public async Task A_process_is_alive_until_it_ended()
    {
        using var child = Start("sleep", "600");
        var identity = ProcessIdentity.Of(child.Id)!;
        Assert.True(identity.IsAlive());
        child.Kill();
        await child.WaitForExitAsync(Cancellation);
        Assert.False(identity.IsAlive());
        Assert.Null(ProcessIdentity.Of(child.Id));
    }

    [Fact]
    public void A_pid_that_was_used_again_is_another_process()
    {
        using var child = Start("sleep", "600");
        var identity = ProcessIdentity.Of(child.Id)!;
        Assert.False((identity with { StartTicks = identity.StartTicks - 1 }).IsAlive());
        Assert.False((identity with { BootId = "another-boot" }).IsAlive());
        child.Kill();
        child.WaitForExit();
    }

    [Fact]
    public async Task A_zombie_is_not_alive()
    {
        // The shell's child becomes the child of "sleep", which never asks for its end: it stays a zombie.
        using var parent = Start("/bin/sh", "-c", "sleep 0 & echo $!; exec sleep 600");
        var pid = int.Parse((await parent.StandardOutput.ReadLineAsync(Cancellation))!);
        await Eventually.TrueAsync(() => StateOf(pid) == 'Z', "the zombie");
        Assert.Null(ProcessIdentity.Of(pid));
        parent.Kill();
        await parent.WaitForExitAsync(Cancellation);
    }

    [Fact]
    public async Task Brackets_and_spaces_in_the_name_of_a_program_do_no_harm()
    {
        using var folder = new TempFolder();
        var odd = folder["a) S 1 (b"];
        File.Copy("/bin/sleep", odd);
        using var child = Start(odd, "600");
        await Eventually.TrueAsync(() => File.ReadAllText($"/proc/{child.Id}/stat").Contains("a) S 1 (b", StringComparison.Ordinal), "the program itself");
        var identity = ProcessIdentity.Of(child.Id)!;
        Assert.Equal(child.Id, identity.Pid);
        Assert.True(identity.StartTicks >= ProcessIdentity.Self.StartTicks);
        Assert.True(identity.IsAlive());
        child.Kill();
        await child.WaitForExitAsync(Cancellation);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void A_pid_that_nobody_has_means_no_process(int pid) => Assert.Null(ProcessIdentity.Of(pid));

    private static char StateOf(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        return stat[stat.LastIndexOf(')') + 2];
    }

    private static Process Start(string program, params string[] words) =>
        Process.Start(new ProcessStartInfo(program, words) { RedirectStandardOutput = true, UseShellExecute = false })!;
}
