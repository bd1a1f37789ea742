namespace Groundcrew.Edge;

/// <summary>A service: one environment of a project, over all its routes and deployments.</summary>
internal readonly record struct ServiceName(string Org, string Project, string Environment)
{
    public static ServiceName Of(Route route) => new(route.Org, route.Project, route.Environment);

    public static ServiceName Of(ServiceHold hold) => new(hold.Org, hold.Project, hold.Environment);

    public override string ToString() => $"{Org}/{Project}/{Environment}";
}

/// <summary>What a service's state depends on: with another setting it begins anew.</summary>
internal sealed record ServiceKey(ServiceName Name, BreakerPolicy Breaker, RetryPolicy Retry, ConcurrencyLimit? Concurrency);

/// <summary>What is happening at a service, across tables. Thread-safe.</summary>
internal sealed class ServiceState(ServiceKey key, TimeProvider clock)
{
    private volatile Breaker _breaker = new(key.Breaker, clock);

    public ServiceName Name => key.Name;

    public Breaker Breaker => _breaker;

    public RetryBudget Retries { get; } = new(key.Retry, clock);

    /// <summary>Null for no limit.</summary>
    public ConcurrencyGate? Concurrency { get; } = key.Concurrency is { } limit ? new ConcurrencyGate(limit, clock) : null;

    /// <summary>A target came or came back: what failed before says nothing of it.</summary>
    public void Forgive() => _breaker = new Breaker(key.Breaker, clock);
}
