using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Settings;
using Groundcrew.Daemon.Supervising;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>The supervisor's parts: who has a port, whose process this is, whose instances are left, and what was asked for.</summary>
public sealed class SupervisingTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<Process> _started = [];

    [Fact]
    public async Task The_program_that_listens_on_a_port_is_named()
    {
        var port = FreePort.Next();
        Assert.False(PortOwner.IsTaken(port));
        Assert.Null(PortOwner.Find(port));
        var server = Start(null, "python3", "-m", "http.server", "--bind", "127.0.0.1", $"{port}");
        await Eventually.TrueAsync(() => PortOwner.IsTaken(port), "it listens");
        Assert.Equal(server.Id, PortOwner.Find(port)!.Value.Pid);
        Assert.Contains($"(pid {server.Id}) listens there", PortOwner.Describe(port), StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_is_adopted_only_when_the_file_names_the_very_one()
    {
        var other = Start(null, "sleep", "600");
        var identity = ProcessIdentity.Of(other.Id)!;
        Assert.False(new RoleProcess("agent", _folder.Path, []).TryAdopt());
        foreach (var text in (string[])
            ["", "nonsense", "null", "[]", "{}", """{"pid":1}""", JsonSerializer.Serialize(identity with { StartTicks = 1 }, Json.Options),
                JsonSerializer.Serialize(identity with { BootId = "another" }, Json.Options), JsonSerializer.Serialize(identity with { Pid = int.MaxValue }, Json.Options)])
        {
            DurableFiles.Real.Replace(_folder["agent/process.json"], text);
            Assert.False(new RoleProcess("agent", _folder.Path, []).TryAdopt(), text);
        }
        DurableFiles.Real.Replace(_folder["agent/process.json"], JsonSerializer.Serialize(identity, Json.Options));
        var adopted = new RoleProcess("agent", _folder.Path, []);
        Assert.True(adopted.TryAdopt());
        Assert.Equal(other.Id, adopted.Identity!.Pid);
    }

    [Fact]
    public async Task A_log_is_cut_while_it_is_written_and_goes_on()
    {
        var role = new RoleProcess("agent", _folder.Path, []);
        Directory.CreateDirectory(Path.GetDirectoryName(role.LogFile)!);
        var writer = Start(null, "/bin/sh", "-c", $"head -c 17000000 /dev/zero >'{role.LogFile}'; exec >>'{role.LogFile}'; touch ready; while [ ! -e cut ]; do sleep 0.05; done; echo after");
        await Eventually.TrueAsync(() => File.Exists(_folder["ready"]), "the log is long");
        role.CutLog();
        Assert.Equal((0, 17_000_000), (new FileInfo(role.LogFile).Length, new FileInfo(role.LogFile + ".1").Length));
        DurableFiles.Real.Replace(_folder["cut"], "");
        await writer.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal("after\n", await File.ReadAllTextAsync(role.LogFile, TestContext.Current.CancellationToken));
        role.CutLog();
        Assert.Equal("after\n", await File.ReadAllTextAsync(role.LogFile, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Only_the_instances_of_this_data_folder_are_ended()
    {
        var mine = Start(("GROUNDCREW_INSTANCE", "1", "INSTANCE_DIR", _folder["agent/instances/1"]), "sleep", "600");
        var neighbour = Start(("GROUNDCREW_INSTANCE", "2", "INSTANCE_DIR", _folder.Path + "-2/agent/instances/2"), "sleep", "600");
        var unmarked = Start(("SOMETHING", "3", "INSTANCE_DIR", _folder["agent/instances/3"]), "sleep", "600");
        Assert.Equal(1, await LeftInstances.StopAsync(_folder.Path, TimeProvider.System));
        await mine.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.False(neighbour.HasExited || unmarked.HasExited);
        Assert.Equal(0, await LeftInstances.StopAsync(_folder.Path, TimeProvider.System));
    }

    [Fact]
    public void An_option_goes_before_the_file_and_the_file_before_the_default()
    {
        new PlatformFile { ControlPort = 9001, EdgePort = 9002, Region = "north", TrustLoopback = true }.Write(_folder.Path, DurableFiles.Real);
        var settings = Read("--edge-port", "9003", "--edge-https-port", "9004", "--trusted-proxies", "10.0.0.0/8,::1").Judged.Value!;
        Assert.Equal((9004, "10.0.0.0/8 ::1"), (settings.Platform.EdgeHttpsPort, string.Join(' ', settings.Platform.TrustedProxies)));
        Assert.Equal((9001, 8081, 9003, "north"), (settings.Platform.ControlPort, settings.Platform.AgentPort, settings.Platform.EdgePort, settings.Platform.Region));
        Assert.False(settings.Platform.TrustLoopback, "it is said again at each start, or it does not hold");
        Assert.Equal(new Uri("http://127.0.0.1:9001"), settings.ControlAddress);
    }

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once()
    {
        DurableFiles.Real.Replace(PlatformFile.PathIn(_folder.Path), "{");
        var problems = Read(
            "--control-port", "0", "--agent-port", "8000", "--edge-https-port", "70000", "--trusted-proxies", "10.0.0.0/8, nowhere", "--region", "B!", "--base-domain", "a b", "--listen", "here", "--control", "there", "--store", "/no/such", "--hostname", " ", "--edge-name", "no name", "--dns-servers", "ns.example.org")
            .Judged.Problems;
        Assert.Equal(
            ["--base-domain", "--control", "--control-port", "--dns-servers", "--edge-https-port", "--edge-name", "--edge-port", "--hostname", "--listen", "--region", "--store", "--trusted-proxies[1]", PlatformFile.PathIn(_folder.Path)],
            problems.Select(p => p.Path).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_was_asked_for_is_passed_on_as_it_was_given()
    {
        string[] given = ["--control-port", "9001", "--region", "north", "--trust-loopback", "--listen", "0.0.0.0"];
        var (_, passed) = Read(given);
        Assert.Equal(Read(given).Judged.Value!.Platform, Read([.. passed]).Judged.Value!.Platform);
        Assert.Equal(given.Order(StringComparer.Ordinal), passed.Order(StringComparer.Ordinal));
    }

    public void Dispose()
    {
        foreach (var process in _started)
        {
            if (!process.HasExited)
                process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
        _folder.Dispose();
    }

    private (Judged<RoleSettings> Judged, IReadOnlyList<string> Passed) Read(params string[] words)
    {
        var options = new PlatformOptions();
        var command = new RootCommand();
        options.AddTo(command);
        var parsed = command.Parse(words);
        Assert.Empty(parsed.Errors);
        return (options.Read(parsed, _folder.Path), [.. options.Pass(parsed)]);
    }

    private Process Start((string, string, string, string)? variables, string program, params string[] words)
    {
        var start = new ProcessStartInfo(program, words) { UseShellExecute = false, RedirectStandardError = true, WorkingDirectory = _folder.Path };
        if (variables is var (first, one, second, two))
            (start.Environment[first], start.Environment[second]) = (one, two);
        var process = Process.Start(start)!;
        _started.Add(process);
        return process;
    }
}
