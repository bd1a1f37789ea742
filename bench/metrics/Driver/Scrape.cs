using System.Globalization;
using System.Text;
using Groundcrew.Bench.Deploy;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Bench.Metrics;

/// <summary>Many targets that answer at once, scraped every 15 s: the share of a processor that it takes.</summary>
internal sealed class Scrape(Options options, Stage stage, Findings findings, CancellationToken stop)
{
    public async Task RunAsync()
    {
        var port = Tools.FreePorts(1)[0];
        await using var targets = Targets(port);
        await targets.StartAsync(stop);
        var config = Path.Combine(stage.Folder, "scrape.yml");
        await File.WriteAllTextAsync(config, Config(port), stop);
        for (var round = 0; round < options.Rounds; round++)
            foreach (var side in options.Sides)
            {
                await using var server = stage.Open(side, config);
                await server.StartAsync(stop);
                await Tools.PauseAsync(35_000, stop); // Every series exists, and the first scrapes have made what they keep.
                var cpu = server.CpuSeconds();
                await Tools.PauseAsync(options.Seconds * 1000, stop);
                findings.Add(side, "CPU share, %", (server.CpuSeconds() - cpu) / options.Seconds * 100);
                findings.Add(side, "memory MB", server.Memory() / 1e6);
                using var answer = await server.AskAsync("api/v1/query", stop, ("query", "count(up{job=\"bench\"} == 1)"));
                var result = answer.RootElement.GetProperty("data").GetProperty("result");
                var up = result.GetArrayLength() == 0 ? 0 : double.Parse(result[0].GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture);
                findings.Add(side, "targets up", up);
                if (up < options.Targets)
                    findings.Fail(side, $"{up} of {options.Targets} targets are up");
            }
    }

    private string Config(int port)
    {
        var text = new StringBuilder("global:\n  scrape_interval: 15s\n  scrape_timeout: 10s\nscrape_configs:\n  - job_name: bench\n    static_configs:\n      - targets:\n");
        // Each target is an address of the loopback network of its own, all on one port.
        for (var i = 0; i < options.Targets; i++)
            text.Append(CultureInfo.InvariantCulture, $"          - 127.1.{i / 250}.{(i % 250) + 1}:{port}\n");
        return text.ToString();
    }

    private WebApplication Targets(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.ListenAnyIP(port));
        var app = builder.Build();
        var pieces = Enumerable.Range(0, Options.SeriesOfTarget / 10).SelectMany(family => Enumerable.Range(0, 10).Select(n => Encoding.UTF8.GetBytes(
            (n == 0 ? $"# HELP bench_family_{family}_total Requests of family {family}.\n# TYPE bench_family_{family}_total counter\n" : "") +
            $"bench_family_{family}_total{{handler=\"/api/v1/items/{n}\",method=\"GET\",status=\"200\"}} "))).ToArray();
        var count = 0L;
        app.MapGet("/metrics", async context =>
        {
            var now = Interlocked.Increment(ref count);
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            var writer = context.Response.BodyWriter;
            for (var i = 0; i < pieces.Length; i++)
            {
                var span = writer.GetSpan(pieces[i].Length + 32);
                pieces[i].CopyTo(span);
                ((now * 37) + (i * now % 11)).TryFormat(span[pieces[i].Length..], out var written, default, CultureInfo.InvariantCulture);
                span[pieces[i].Length + written] = (byte)'\n';
                writer.Advance(pieces[i].Length + written + 1);
            }
            await writer.FlushAsync(context.RequestAborted);
        });
        return app;
    }
}
