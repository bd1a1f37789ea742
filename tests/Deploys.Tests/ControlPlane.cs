using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Groundcrew.Deploys.Tests;

/// <summary>
/// One life of a control plane over a store: the services that the daemon composes, without its doors. Killed and made
/// again by <see cref="World.RestartAsync"/>; loops run when a test says so.
/// </summary>
public sealed class ControlPlane : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly CancellationTokenSource _life = new();

    public ControlPlane(Store store, TimeProvider clock, string folder, DurableFiles? files = null, Func<DeploysOptions, DeploysOptions>? change = null)
    {
        var collection = new ServiceCollection();
        collection.AddSingleton(store).AddSingleton(clock).AddSingleton(SealedBox.Open(Path.Combine(folder, "seal.key"), DurableFiles.Real));
        collection.AddSingleton(files ?? DurableFiles.Real).AddSingleton<ISignals>(Signals).AddSingleton<MetricRegistry>();
        collection.AddSingleton<Audit>().AddSingleton<SecretStore>();
        collection.AddSingleton(new Operations(store, Signals, clock, NullLogger<Operations>.Instance, null, new OperationsOptions { Backoff = TimeSpan.Zero }));
        collection.AddFleet();
        var options = new DeploysOptions("localhost", Path.Combine(folder, "artifacts"));
        collection.AddSingleton(change?.Invoke(options) ?? options).AddDeploys();
        _services = collection.BuildServiceProvider();
        (Store, Ended) = (store, _life.Token);
        Get<Deployments>();
        Loops = _services.GetServices<ILoop>().ToDictionary(l => l.Name, StringComparer.Ordinal);
    }

    public Store Store { get; }

    /// <summary>Cancelled when this life ends: a long poll of a node breaks off then.</summary>
    public CancellationToken Ended { get; }

    public SeenSignals Signals { get; } = new();

    public IReadOnlyDictionary<string, ILoop> Loops { get; }

    public Nodes Nodes => Get<Nodes>();

    public Link Link => Get<Link>();

    public Instances Instances => Get<Instances>();

    public Operations Operations => Get<Operations>();

    public Deployments Deployments => Get<Deployments>();

    public Domains Domains => Get<Domains>();

    public Projects Projects => Get<Projects>();

    public Routes Routes => Get<Routes>();

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    public Task<string> LoopAsync(string name) => Loops[name].RunAsync(Ended);

    /// <summary>Ends it as the end of its process would: what it was doing stops where it stands.</summary>
    public async ValueTask DisposeAsync()
    {
        await _life.CancelAsync();
        await Operations.DisposeAsync();
        await _services.DisposeAsync();
        _life.Dispose();
    }
}
