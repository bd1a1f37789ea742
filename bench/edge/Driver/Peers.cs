using System.Diagnostics;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Edge;

/// <summary>nginx as a competent operator sets it up: connections to the backends are kept, bodies are streamed and never put on disk, the access log is buffered.</summary>
internal sealed class Nginx(Stage stage, Doors doors) : Proxy("nginx", stage, doors)
{
    public override async Task<string> VersionAsync() =>
        (await Tools.RunAsync("/bin/sh", ["-c", "nginx -v 2>&1"])).Replace("nginx version: ", "", StringComparison.Ordinal);

    protected override async Task<Process> SpawnAsync()
    {
        await File.WriteAllTextAsync(PathOf("nginx.conf"), $$"""
            {{Stage.NginxHead(Folder)}}
            http {
                {{Stage.NginxTemporary(Folder)}}
                access_log {{PathOf("access.log")}} combined buffer=64k flush=1s;
                keepalive_requests 1000000000;
                keepalive_timeout 300s;
                ssl_certificate {{Stage.Certificate}};
                ssl_certificate_key {{Stage.Key}};
                ssl_protocols TLSv1.2 TLSv1.3;
                map $http_upgrade $connection_upgrade {
                    default upgrade;
                    '' '';
                }
                upstream backends {
            {{Lines(Stage.BackendPorts.Select(p => $"        server 127.0.0.1:{p};"))}}
                    keepalive 256;
                    keepalive_requests 1000000000;
                }
                upstream sinks {
            {{Lines(Stage.SinkPorts.Select(p => $"        server 127.0.0.1:{p};"))}}
                    keepalive 64;
                    keepalive_requests 1000000000;
                }
                server {
                    listen 127.0.0.1:{{Ports.Http}} backlog=4096;
                    listen 127.0.0.1:{{Ports.Http2}} http2 backlog=4096;
                    listen 127.0.0.1:{{Ports.Tls}} ssl http2 backlog=4096;
                    client_max_body_size 0;
                    proxy_http_version 1.1;
                    proxy_buffers 16 64k;
                    proxy_max_temp_file_size 0;
                    proxy_set_header Host $host;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_upgrade;
                    location / {
                        proxy_pass http://backends;
                    }
                    location = /upload {
                        proxy_request_buffering off;
                        proxy_pass http://sinks;
                    }
                    location = /ws {
                        proxy_read_timeout 1h;
                        proxy_pass http://sinks;
                    }
                }
            }

            """);
        return Tools.Start("nginx", Log, ["-p", Folder, "-e", PathOf("error.log"), "-c", PathOf("nginx.conf")]);
    }
}

/// <summary>HAProxy: a thread a processor, connections to the backends shared by all, a line a request on its standard output.</summary>
internal sealed class HaProxy(Stage stage, Doors doors) : Proxy("haproxy", stage, doors)
{
    public override async Task<string> VersionAsync() => (await Tools.RunAsync("haproxy", ["-v"])).Split('\n')[0];

    protected override async Task<Process> SpawnAsync()
    {
        await File.WriteAllTextAsync(PathOf("haproxy.cfg"), $"""
            global
                maxconn {Stage.MaxConnections}
                log stdout format raw local0
            defaults
                mode http
                log global
                option httplog
                option forwardfor
                timeout connect 2s
                timeout client 60s
                timeout server 60s
                timeout http-keep-alive 300s
                timeout tunnel 1h
                http-reuse always
                balance roundrobin
            frontend door
                bind 127.0.0.1:{Ports.Http} backlog 4096
                bind 127.0.0.1:{Ports.Http2} proto h2 backlog 4096
                bind 127.0.0.1:{Ports.Tls} ssl crt {Stage.CertificateAndKey} alpn h2,http/1.1 backlog 4096
                use_backend sinks if {"{"} path /upload /ws {"}"}
                default_backend backends
            backend backends
            {Lines(Stage.BackendPorts.Select(p => $"    server b{p} 127.0.0.1:{p} check inter 5s"))}
            backend sinks
            {Lines(Stage.SinkPorts.Select(p => $"    server s{p} 127.0.0.1:{p}"))}

            """);
        return Tools.Start("haproxy", Log, ["-db", "-f", PathOf("haproxy.cfg")]);
    }
}

/// <summary>Caddy: as many idle connections to a backend as the load has, an access log in a file.</summary>
internal sealed class Caddy(Stage stage, Doors doors) : Proxy("caddy", stage, doors)
{
    public override Uri Http2 => Http; // One port speaks both.

    public override async Task<string> VersionAsync() => $"caddy {await Tools.RunAsync("caddy", ["version"])}";

    protected override async Task<Process> SpawnAsync()
    {
        await File.WriteAllTextAsync(PathOf("Caddyfile"), $$"""
            {
                admin off
                auto_https off
                default_sni localhost
                log {
                    level WARN
                }
                servers {
                    protocols h1 h2 h2c
                }
            }
            (site) {
                bind 127.0.0.1
                log {
                    output file {{PathOf("access.log")}} {
                        roll_disabled
                    }
                }
                @sinks path /upload /ws
                reverse_proxy @sinks {{Upstreams(Stage.SinkPorts)}} {
                    lb_policy round_robin
                }
                reverse_proxy {{Upstreams(Stage.BackendPorts)}} {
                    lb_policy round_robin
                    transport http {
                        keepalive_idle_conns_per_host 256
                        compression off
                    }
                }
            }
            http://:{{Ports.Http}} {
                import site
            }
            https://:{{Ports.Tls}} {
                tls {{Stage.Certificate}} {{Stage.Key}}
                import site
            }

            """);
        var variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["XDG_DATA_HOME"] = Folder, ["XDG_CONFIG_HOME"] = Folder, ["HOME"] = Folder };
        return Tools.Start("caddy", Log, ["run", "--adapter", "caddyfile", "--config", PathOf("Caddyfile")], variables);
    }

    private static string Upstreams(IEnumerable<int> ports) => string.Join(' ', ports.Select(p => $"127.0.0.1:{p}"));
}
