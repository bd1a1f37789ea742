using Groundcrew.Fleet.OnNode;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode;

public sealed class OnNodeLauncherTests
{
    [Theory]
    [InlineData("node server.js", "exec node server.js")]
    [InlineData("  python3 -m http.server $PORT ", "exec python3 -m http.server $PORT")]
    [InlineData("exec ./run", "exec ./run")]
    [InlineData("./migrate && ./run", "./migrate && ./run")]
    [InlineData("A=1 ./run", "A=1 ./run")]
    [InlineData("cd web; ./run", "cd web; ./run")]
    public void A_simple_line_replaces_the_shell_and_a_list_keeps_it(string line, string wanted) => Assert.Equal(wanted, Launcher.ShellLine(line));

    [Fact]
    public void Variables_in_words_are_replaced_and_unknown_ones_stay()
    {
        var variables = new Dictionary<string, string?> { ["PORT"] = "20001", ["HOST"] = "127.0.0.1" };
        Assert.Equal("--listen=127.0.0.1:20001 ${OTHER} $PORT ${", Launcher.Expand("--listen=${HOST}:${PORT} ${OTHER} $PORT ${", variables));
    }

    [Fact]
    public void Without_any_control_group_the_limits_are_rlimits_and_say_so()
    {
        using var empty = new TempFolder();
        var held = ControlGroups.Find(empty.Path, "0::/\n").Hold(Guid.NewGuid(), new ResourceLimits(100, 1 << 20));
        Assert.Equal((1024L, 0), (held.DataLimit, held.Folders.Count));
        Assert.StartsWith("rlimit: ", held.Words, StringComparison.Ordinal);
        Assert.Equal("rlimit", ControlGroups.Find(null, "").Hold(Guid.NewGuid(), new ResourceLimits(null, null)).Words);
    }

    [Fact]
    public void Ports_are_given_once_kept_and_changed_when_someone_took_them()
    {
        var first = FreePort.Next();
        var pool = new PortPool(first, first);
        var (one, other) = (Guid.NewGuid(), Guid.NewGuid());
        Assert.Equal(first, pool.Take(one));
        Assert.Equal(first, pool.Take(one));
        Assert.Throws<IOException>(() => pool.Take(other));
        pool.Release(one);
        Assert.Equal(first, pool.Take(other));
    }
}
