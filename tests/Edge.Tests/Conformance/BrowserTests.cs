using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>A real browser: a page with its assets, a call, events and a WebSocket, as the page itself saw them.</summary>
public sealed class BrowserTests : IDisposable
{
    private const string Host = "page.example.org";

    private const string Page =
        """
        <!doctype html><html><head><meta charset="utf-8"><link rel="stylesheet" href="/assets/style.css"><script src="/assets/one.js"></script><script src="/assets/two.js"></script></head>
        <body><img src="/assets/dot.svg" id="dot"><pre id="seen"></pre><script>
        const seen = [];
        const step = (name, make) => Promise.race([make(), new Promise((_, no) => setTimeout(() => no('too late'), 20000))])
          .then(v => seen.push(name + '=' + v), e => seen.push(name + '!' + e));
        (async () => {
          await step('scripts', async () => one + two);
          await step('style', async () => getComputedStyle(document.body).color);
          await step('image', () => document.getElementById('dot').decode().then(() => document.getElementById('dot').naturalWidth));
          await step('post', async () => (await fetch('/echo', { method: 'POST', body: 'pay' })).text());
          await step('large', async () => (await (await fetch('/large')).text()).length);
          await step('events', () => new Promise((yes, no) => { const got = []; const e = new EventSource('/events');
            e.onmessage = m => { got.push(m.data); if (got.length === 3) { e.close(); yes(got.join('')); } }; e.onerror = () => no('error'); }));
          await step('socket', () => new Promise((yes, no) => { const s = new WebSocket('ws://' + location.host + '/socket');
            s.onopen = () => s.send('hello'); s.onmessage = m => { s.close(); yes(m.data); }; s.onerror = () => no('error'); }));
          await fetch('/seen', { method: 'POST', body: seen.join('; ') });
        })();
        </script></body></html>
        """;

    private readonly TempFolder _folder = new();
    private readonly TaskCompletionSource<string> _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_page_with_all_that_browsers_do_works_through_the_edge()
    {
        await using var instance = await Instance.StartAsync(ServeAsync, webSockets: true);
        Directory.CreateDirectory(_folder["edge"]);
        await using var edge = await EdgeHost.StartAsync(_folder["edge"], protocols: HttpProtocols.Http1);
        Assert.IsType<ApplyOutcome.Applied>(edge.Table.Apply(Of(1, Route(Host, instance.Target) with
        {
            Policy = RoutePolicy.Default with { Compression = new CompressionPolicy(), Cache = [new CacheRule("/assets/*", TimeSpan.FromDays(365)) { Immutable = true }] },
        })));
        using var browser = Process.Start(new ProcessStartInfo("/usr/bin/chromium",
        [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", $"--user-data-dir={_folder["profile"]}", $"--host-resolver-rules=MAP {Host} 127.0.0.1", "--remote-debugging-port=0", $"http://{Host}:{edge.TrafficPort}/",
        ])
        { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false })!;
        try
        {
            var said = Task.WhenAll(browser.StandardError.ReadToEndAsync(Stop), browser.StandardOutput.ReadToEndAsync(Stop));
            await Task.WhenAny(_seen.Task, said).WaitAsync(Eventually.Limit * 2, Stop);
            Assert.True(_seen.Task.IsCompleted, said.IsCompleted ? string.Concat(await said) : "The browser said nothing.");
            Assert.Equal("scripts=12; style=rgb(1, 2, 3); image=7; post=echo pay; large=90000; events=012; socket=HELLO", await _seen.Task);
        }
        finally
        {
            browser.Kill(entireProcessTree: true);
            await browser.WaitForExitAsync(CancellationToken.None);
        }
    }

    private async Task ServeAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        switch (request.Path.Value)
        {
            case "/":
                response.ContentType = "text/html; charset=utf-8";
                await response.WriteAsync(Page);
                break;
            case "/assets/one.js" or "/assets/two.js":
                response.ContentType = "text/javascript";
                await response.WriteAsync($"const {Path.GetFileNameWithoutExtension(request.Path.Value)} = '{(request.Path.Value!.Contains("one", StringComparison.Ordinal) ? 1 : 2)}';{new string(' ', 5000)}");
                break;
            case "/assets/style.css":
                response.ContentType = "text/css";
                await response.WriteAsync("body { color: rgb(1, 2, 3) }" + new string(' ', 5000));
                break;
            case "/assets/dot.svg":
                response.ContentType = "image/svg+xml";
                await response.WriteAsync("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"7\" height=\"7\"></svg>" + new string(' ', 5000));
                break;
            case "/large":
                response.ContentType = "text/plain";
                for (var i = 0; i < 9; i++)
                    await response.WriteAsync(new string('a', 10_000));
                break;
            case "/echo":
                await response.WriteAsync("echo " + await BodyAsync(request));
                break;
            case "/events":
                response.ContentType = "text/event-stream";
                for (var i = 0; i < 3; i++)
                {
                    await response.WriteAsync($"data: {i}\n\n");
                    await response.Body.FlushAsync();
                }
                // It is the browser that ends it.
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
                break;
            case "/socket":
                await EchoAsync(context);
                break;
            case "/seen":
                _seen.TrySetResult(await BodyAsync(request));
                break;
            default:
                response.StatusCode = 404;
                break;
        }
    }

    private static async Task<string> BodyAsync(HttpRequest request)
    {
        using var reader = new StreamReader(request.Body);
        return await reader.ReadToEndAsync();
    }

    private static async Task EchoAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[1024];
        var got = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
        await socket.SendAsync(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(buffer, 0, got.Count).ToUpperInvariant()), WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
        await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
    }
}
