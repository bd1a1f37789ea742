// Answers every path with its version: what stands in the file `version` beside the program. HOST and PORT come from outside.
using System.Net;

var port = int.Parse(Environment.GetEnvironmentVariable("PORT") ?? "8080");
var host = IPAddress.Parse(Environment.GetEnvironmentVariable("HOST") ?? "127.0.0.1");

// `bench-service check`: what a container's health check runs. Only a socket: the cheapest that this runtime can do.
if (args is ["check"])
{
    using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
    socket.Connect(host, port);
    socket.Send("GET /ready HTTP/1.0\r\n\r\n"u8);
    var answer = new byte[64];
    return socket.Receive(answer) > 12 && answer.AsSpan().StartsWith("HTTP/1.1 200"u8) ? 0 : 1;
}

var body = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "version"));
var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
{
    kestrel.AddServerHeader = false;
    kestrel.Listen(host, port);
});
await using var app = builder.Build();
app.Run(async http =>
{
    http.Response.ContentType = "text/plain";
    http.Response.ContentLength = body.Length;
    await http.Response.Body.WriteAsync(body);
});
await app.RunAsync();
return 0;
