using System.Buffers;
using Groundcrew.Daemon.Wiring;

namespace Groundcrew.Daemon.Doors;

/// <summary>Takes what others send by remote write. Its series keep the labels that they come with, so only tokens of the whole platform may send.</summary>
internal static class PrometheusWriteDoor
{
    public static async Task ReceiveAsync(HttpContext http)
    {
        var body = new ArrayBufferWriter<byte>((int)Math.Clamp(http.Request.ContentLength ?? 0, 4096, 16 * 1024 * 1024));
        int read;
        while ((read = await http.Request.Body.ReadAsync(body.GetMemory(4096), http.RequestAborted)) > 0)
            body.Advance(read);
        var outcome = http.RequestServices.GetRequiredService<Monitoring>().Receiver.Receive(body.WrittenSpan, http.Request.ContentType, http.Request.Headers.ContentEncoding);
        http.Response.StatusCode = outcome.Status;
        foreach (var (name, value) in outcome.Headers)
            http.Response.Headers[name] = value;
        if (outcome.Message.Length == 0)
            return;
        http.Response.ContentType = "text/plain; charset=utf-8";
        await http.Response.WriteAsync(outcome.Message + "\n", http.RequestAborted);
    }
}
