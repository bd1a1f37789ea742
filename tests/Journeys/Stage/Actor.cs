using Groundcrew.Tests.Support;

namespace Groundcrew.Journeys.Stage;

/// <summary>How the actor misbehaves.</summary>
public enum Mode
{
    /// <summary>Not at all.</summary>
    Well,

    /// <summary>Prints a line and ends with code 3.</summary>
    Exits,

    /// <summary>Runs, and listens on nothing.</summary>
    Deaf,

    /// <summary>Answers every request with 500.</summary>
    Broken,

    /// <summary>Does not care for SIGTERM.</summary>
    Stubborn,

    /// <summary>Starts itself in the background and ends.</summary>
    Forks,

    /// <summary>Is not ready before the stage says "open".</summary>
    Waits,
}

/// <summary>
/// A folder with a manifest and a small Node.js program that does what the test says: by its manifest when it starts,
/// and by marks on a stage (files in a folder of the test's) while it runs.
/// </summary>
public sealed class Actor(string name, string org = "acme") : IDisposable
{
    private const string Program =
        """
        'use strict';
        const http = require('node:http'), fs = require('node:fs'), child = require('node:child_process');
        const { HOST, PORT, INSTANCE_ID, VERSION, MODE, STAGE, WORD } = process.env;
        const marked = mark => fs.existsSync(`${STAGE}/${mark}`);
        console.log(`actor ${VERSION} begins, ${MODE}, its word is ${WORD}`);
        if (MODE === 'Exits') { console.error('there is nothing to do'); process.exit(3); }
        if (MODE === 'Forks') {
          child.spawn(process.execPath, [__filename], { detached: true, stdio: 'ignore', env: { ...process.env, MODE: 'Well' } }).unref();
          process.exit(0);
        }
        const isReady = () => MODE === 'Waits' ? marked('open') : !marked(`sick-${INSTANCE_ID}`);
        const server = http.createServer((request, response) => {
          if (request.url.startsWith('/until/')) {
            response.write('begin ');
            const look = setInterval(() => { if (marked(request.url.slice(7))) { clearInterval(look); response.end('end'); } }, 20);
            return;
          }
          const ready = request.url !== '/health/ready' || isReady();
          response.writeHead(MODE === 'Broken' ? 500 : ready ? 200 : 503, { 'Content-Type': 'application/json' });
          response.end(JSON.stringify({ version: VERSION, instance: INSTANCE_ID }));
        });
        server.keepAliveTimeout = 60000;
        server.on('upgrade', (request, socket) => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
          socket.on('error', () => {}).pipe(socket);
        });
        if (MODE !== 'Deaf') server.listen(Number(PORT), HOST); else setInterval(() => {}, 1000);
        process.on('SIGTERM', () => {
          if (MODE === 'Stubborn') return console.log('no');
          if (MODE === 'Deaf') process.exit(0);
          server.close(() => process.exit(0));
          server.closeIdleConnections();
        });
        """;

    private readonly TempFolder _folder = new();

    public string Name => name;

    public string Org => org;

    public string Project => $"{org}/{name}";

    public string Host => $"{name}-{org}.localhost";

    public string Folder => _folder["package"];

    public string Stage => _folder["stage"];

    public string Version { get; set; } = "1";

    public Mode Mode { get; set; }

    public int Instances { get; set; } = 2;

    public string Deadline { get; set; } = "60s";

    public string Drain { get; set; } = "3s";

    public string RollbackWindow { get; set; } = "0s";

    /// <summary>Further lines of the service, without indentation.</summary>
    public string More { get; set; } = "";

    /// <summary>Writes the folder as it is wanted now; returns it.</summary>
    public string Write()
    {
        Directory.CreateDirectory(Folder);
        Directory.CreateDirectory(Stage);
        File.WriteAllText(Path.Combine(Folder, "actor.js"), Program);
        File.WriteAllText(Path.Combine(Folder, "crew.yaml"), Manifest());
        return Folder;
    }

    public string Manifest() =>
        $$"""
        system: {{org}}
        services:
          {{name}}:
            package: actor.js
            run: node actor.js
            health: {readiness: /health/ready, period: 200ms, failureThreshold: 1, deadline: {{Deadline}}}
            instances: {{Instances}}
            drain: {{Drain}}
            rollbackWindow: {{RollbackWindow}}
            environment: {VERSION: "{{Version}}", MODE: {{Mode}}, STAGE: {{Stage}}}
            {{More}}
        """;

    public void Mark(string mark) => File.WriteAllText(Path.Combine(Stage, mark), "");

    public void Unmark(string mark) => File.Delete(Path.Combine(Stage, mark));

    public void Dispose() => _folder.Dispose();
}
