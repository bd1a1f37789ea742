using System.Diagnostics;
using System.Net;

namespace Groundcrew.Bench.Deploy;

/// <summary>
/// Docker Swarm of one node, with a Docker Engine of our own in a temporary folder, behind HAProxy: as a competent operator
/// would set them up on one machine. Tasks use the host's network (the kernel here has no IPVS for Swarm's own balancing), a
/// port a slot; a task is updated when the one before it is healthy; HAProxy checks each, tries again on a refused or
/// dropped connection, and elsewhere.
/// </summary>
internal sealed class Swarm(Options options) : IAsyncDisposable
{
    private const int FirstPort = 15_100;
    private readonly string _folder = Directory.CreateTempSubdirectory("deploy-bench-swarm-").FullName;
    private readonly int[] _ports = Tools.FreePorts(2);
    private Process? _engine;
    private Process? _proxy;

    public IPEndPoint Door => new(IPAddress.Loopback, _ports[0]);

    public async Task UpAsync(int versions)
    {
        _engine = Tools.Start("dockerd", $"{_folder}/dockerd.log",
        [
            "--data-root", $"{_folder}/data", "--exec-root", $"{_folder}/exec", "--pidfile", $"{_folder}/dockerd.pid", "-H", $"unix://{_folder}/docker.sock",
            "--iptables=false", "--ip6tables=false", "--bridge=none",
        ]);
        var started = Stopwatch.GetTimestamp();
        while ((await DockerAsync(mayFail: true, "version", "-f", "{{.Server.Version}}")).Length == 0)
        {
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(30))
                throw new IOException($"dockerd did not start: {string.Join('\n', File.ReadLines($"{_folder}/dockerd.log").TakeLast(5))}");
            await Tools.PauseAsync(100, CancellationToken.None);
        }
        await DockerAsync(mayFail: false, "swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", $"127.0.0.1:{_ports[1]}");
        await MakeImagesAsync(versions);
        await DockerAsync(mayFail: false,
            "service", "create", "--detach=false", "--quiet", "--name", "web", "--network", "host", "--replicas", "3",
            "--env", $"PORT={FirstPort / 10}{{{{.Task.Slot}}}}", "--env", "HOST=127.0.0.1",
            "--update-order", "stop-first", "--update-parallelism", "1", "--update-delay", "0s", "--update-monitor", "1s",
            "--rollback-order", "stop-first", "--rollback-parallelism", "1", "--rollback-delay", "0s", "--rollback-monitor", "1s",
            "--stop-grace-period", "5s", "web:1");
        await StartProxyAsync();
    }

    /// <summary>Runs no task while the other side is measured, for health checks of a container start a process each; or all three again.</summary>
    public async Task ScaleAsync(int replicas)
    {
        await DockerAsync(mayFail: false, "service", "scale", "--detach=false", $"web={replicas}");
        await Tools.PauseAsync(2000, CancellationToken.None);
    }

    public async Task<Move> UpdateAsync(int from, int to) =>
        await MoveAsync("deploy", from, to, "service", "update", "--detach", "--quiet", "--image", $"web:{to}", "web");

    public async Task<Move> RollbackAsync(int from, int to) => await MoveAsync("rollback", from, to, "service", "rollback", "--detach", "--quiet", "web");

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
            await EndAsync(_proxy);
        if (_engine is not null)
        {
            await DockerAsync(mayFail: true, "service", "rm", "web");
            for (var i = 0; i < 100 && (await DockerAsync(mayFail: true, "ps", "-q")).Length > 0; i++)
                await Tools.PauseAsync(100, CancellationToken.None);
            await DockerAsync(mayFail: true, "swarm", "leave", "--force");
            await EndAsync(_engine);
        }
        // The engine leaves its network namespace mounted.
        await Tools.RunAsync("umount", [$"{_folder}/exec/netns/default"], mayFail: true);
        if (!options.Keep)
            Directory.Delete(_folder, recursive: true);
    }

    private async Task<Move> MoveAsync(string kind, int from, int to, params string[] words)
    {
        var requested = Stopwatch.GetTimestamp();
        await DockerAsync(mayFail: false, words);
        var accepted = Stopwatch.GetTimestamp();
        var done = kind == "deploy" ? "completed" : "rollback_completed";
        var state = "";
        while (state != done && Stopwatch.GetElapsedTime(accepted) < TimeSpan.FromSeconds(90))
        {
            await Tools.PauseAsync(100, CancellationToken.None);
            state = await DockerAsync(mayFail: false, "service", "inspect", "-f", "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}", "web");
        }
        return new Move(kind, from, to, requested, accepted, Stopwatch.GetTimestamp(), state == done ? "succeeded" : state, new Dictionary<string, double>(StringComparer.Ordinal));
    }

    /// <summary>The program, the runtime it needs and the libraries of both: no registry can be reached, and none is needed.</summary>
    private async Task MakeImagesAsync(int versions)
    {
        var root = $"{_folder}/image";
        Directory.CreateDirectory($"{root}/app");
        Directory.CreateDirectory($"{root}/tmp");
        await Tools.RunAsync("/bin/sh",
        [
            "-ec",
            """
            cp "$2"/* "$1/app/"
            from=$(dirname "$(readlink -f "$(command -v dotnet)")")
            mkdir -p "$1/usr/share/dotnet"
            cp -r "$from/host" "$1/usr/share/dotnet/"
            major=$(sed -n 's/.*"version": "\([0-9]*\)\..*/\1/p' "$2/bench-service.runtimeconfig.json" | head -1)
            for framework in Microsoft.NETCore.App Microsoft.AspNetCore.App; do
                mkdir -p "$1/usr/share/dotnet/shared/$framework"
                cp -r "$(ls -d "$from/shared/$framework/$major".* | sort -V | tail -1)" "$1/usr/share/dotnet/shared/$framework/"
            done
            { ldd "$2/bench-service"; find "$1/usr/share/dotnet" -name 'lib*.so' ! -name '*trace*' -exec ldd {} \; ; } | grep -o '/[^ ]*' | grep -v '^/usr/share\|:$' | sort -u |
                while read -r library; do [ ! -f "$library" ] || { mkdir -p "$1$(dirname "$library")"; cp -L "$library" "$1$library"; }; done
            """,
            "sh", root, options.Service,
        ]);
        await File.WriteAllTextAsync($"{root}/Dockerfile",
            """
            FROM scratch
            COPY . /
            ENV DOTNET_ROOT=/usr/share/dotnet
            HEALTHCHECK --interval=500ms --timeout=2s --retries=3 CMD ["/app/bench-service", "check"]
            ENTRYPOINT ["/app/bench-service"]
            """);
        await DockerAsync(mayFail: false, "build", "-q", "-t", "base", root);
        for (var version = 1; version <= versions; version++)
        {
            var layer = Directory.CreateDirectory($"{_folder}/layer{version}").FullName;
            await File.WriteAllTextAsync($"{layer}/version", $"v{version}");
            await File.WriteAllTextAsync($"{layer}/Dockerfile", "FROM base\nCOPY version /app/version\n");
            await DockerAsync(mayFail: false, "build", "-q", "-t", $"web:{version}", layer);
        }
    }

    private async Task StartProxyAsync()
    {
        var servers = string.Join("\n", Enumerable.Range(1, 3).Select(slot => $"    server web{slot} 127.0.0.1:{FirstPort / 10}{slot} check"));
        await File.WriteAllTextAsync($"{_folder}/haproxy.cfg", $"""
            global
                maxconn 4096
            defaults
                mode http
                timeout connect 1s
                timeout client 60s
                timeout server 60s
                option redispatch 1
                retries 3
                retry-on conn-failure empty-response
            frontend door
                bind 127.0.0.1:{_ports[0]}
                default_backend web
            backend web
                balance roundrobin
                option httpchk GET /ready
                default-server inter 200ms fall 2 rise 1
            {servers}

            """);
        _proxy = Tools.Start("haproxy", $"{_folder}/haproxy.log", ["-db", "-f", $"{_folder}/haproxy.cfg"]);
        await Tools.PauseAsync(1500, CancellationToken.None);
    }

    private Task<string> DockerAsync(bool mayFail, params string[] words) =>
        Tools.RunAsync("docker", words, new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["DOCKER_HOST"] = $"unix://{_folder}/docker.sock",
            ["DOCKER_CONFIG"] = _folder,
            ["DOCKER_BUILDKIT"] = "0",
        }, mayFail);

    private static async Task EndAsync(Process process)
    {
        Tools.Signal(process.Id, "TERM");
        await process.WaitForExitAsync();
        process.Dispose();
    }
}
