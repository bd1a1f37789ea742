using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Doors;
using Groundcrew.Daemon.Roles;
using Groundcrew.Daemon.Settings;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Postgres;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>The real control plane on a free loopback port, over a real store, with every line that it logs kept.</summary>
internal sealed class ControlHost : IAsyncDisposable
{
    private readonly HttpClient _http;

    private ControlHost(WebApplication app, Store store, TempFolder folder)
    {
        (App, Store, Folder) = (app, store, folder);
        Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(60) };
    }

    public WebApplication App { get; }

    public Store Store { get; }

    public TempFolder Folder { get; }

    public Uri Address { get; }

    public KeptLog Log => App.Services.GetRequiredService<KeptLog>();

    public string StoreFile => Folder["data/control/store.db"];

    /// <summary>The token of an admin of everything.</summary>
    public string Admin { get; private set; } = "";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Every endpoint that is mapped, one entry a method.</summary>
    public IReadOnlyList<(string Method, string Pattern, Needs? Needs, RouteEndpoint Endpoint)> Endpoints =>
    [
        .. App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(e => (e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"])
                .Select(m => (m, "/" + e.RoutePattern.RawText!.Trim('/'), e.Metadata.GetMetadata<Needs>(), e))),
    ];

    public static async Task<ControlHost> StartAsync(
        bool trustLoopback = false, Secret? connection = null, Action<WebApplicationBuilder>? change = null, Action<WebApplication>? map = null,
        string? storeFolder = null)
    {
        var folder = new TempFolder();
        var platform = new PlatformFile { ControlPort = 0, EdgePort = 8000, TrustLoopback = trustLoopback };
        var settings = new RoleSettings(folder["data"], platform, new Uri("http://127.0.0.1:1"), "host", connection, "127.0.0.1");
        var opened = await Store.OpenAsync(
            new StoreOptions { Folder = storeFolder ?? settings.FolderOf("control"), Connection = connection }, [new FleetTables(), new DeploysTables(), new DatabasesTables()], TimeProvider.System, Ct);
        var store = opened.Value ?? throw new InvalidOperationException(string.Join("; ", opened.Problems));
        var app = ControlRole.Compose(settings, store, builder =>
        {
            var log = new KeptLog();
            builder.Logging.ClearProviders().AddProvider(log);
            builder.Services.AddSingleton(log);
            builder.Services.AddSingleton(s => new Operations(
                store, s.GetRequiredService<ISignals>(), TimeProvider.System, s.GetRequiredService<ILogger<Operations>>(), s.GetRequiredService<MetricRegistry>(),
                new OperationsOptions { Backoff = TimeSpan.Zero }));
            builder.Services.AddSingleton(new DeploysOptions("localhost", folder["artifacts"]) { MaxArtifactBytes = 1024 * 1024 });
            change?.Invoke(builder);
        });
        map?.Invoke(app);
        await app.StartAsync(Ct);
        await app.Services.GetRequiredService<Operations>().StartAsync(Ct);
        var host = new ControlHost(app, store, folder);
        host.Admin = await host.TokenAsync(Role.Admin);
        return host;
    }

    public T Get<T>()
        where T : notnull => App.Services.GetRequiredService<T>();

    public async Task<string> TokenAsync(Role role, string? org = null, DateTimeOffset? expires = null) =>
        (await Get<Access>().CreateAsync($"{role.Word()}-{org ?? "all"}", role, org, expires, Ct)).Secret.Reveal();

    public Task<Answer> GetAsync(string path, string? token = null, params (string, string)[] headers) => SendAsync("GET", path, token ?? Admin, (string?)null, headers);

    public Task<Answer> PostAsync(string path, string? json, params (string, string)[] headers) => SendAsync("POST", path, Admin, json, headers);

    public Task<Answer> SendAsync(string method, string path, string? token, string? json, params (string Name, string Value)[] headers) =>
        SendAsync(method, path, token, json is null ? null : new StringContent(json, Encoding.UTF8, "application/json"), headers);

    public async Task<Answer> SendAsync(string method, string path, string? token, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = content };
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await _http.SendAsync(request, Ct);
        var text = await response.Content.ReadAsStringAsync(Ct);
        var all = response.Headers.Concat(response.Content.Headers).ToDictionary(h => h.Key, h => string.Join(", ", h.Value), StringComparer.OrdinalIgnoreCase);
        return new Answer((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, all, text);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Get<Operations>().StopAsync();
        await App.DisposeAsync();
        await Store.DisposeAsync();
        Folder.Dispose();
    }
}

/// <summary>One control plane for all tests of a class that leave it as it was, or keep to an organization of their own.</summary>
public sealed class SharedHost : IAsyncLifetime
{
    internal ControlHost Plain { get; private set; } = null!;

    internal ControlHost Trusting { get; private set; } = null!;

    public async ValueTask InitializeAsync() => (Plain, Trusting) = (await ControlHost.StartAsync(), await ControlHost.StartAsync(trustLoopback: true));

    public async ValueTask DisposeAsync()
    {
        await Plain.DisposeAsync();
        await Trusting.DisposeAsync();
    }
}

/// <summary>Every record that was logged, as one text with its exception.</summary>
internal sealed class KeptLog : ILoggerProvider
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> _records = new();

    public IReadOnlyList<(LogLevel Level, string Text)> Records => [.. _records];

    public ILogger CreateLogger(string categoryName) => new Keeper(this, categoryName);

    public void Dispose()
    {
    }

    private sealed class Keeper(KeptLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log._records.Enqueue((logLevel, $"{category}: {formatter(state, exception)} {exception}"));
    }
}
