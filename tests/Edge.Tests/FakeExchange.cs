using System.Diagnostics.CodeAnalysis;
using System.Net;
using Microsoft.Extensions.Primitives;

namespace Groundcrew.Edge.Tests;

/// <summary>A request that no connection carries: for what only looks at it.</summary>
internal sealed class FakeExchange(string host, string path = "/", params (string Name, string Value)[] headers) : Exchange
{
    public override string Method => "GET";

    public override string Host => host;

    public override string Path => path;

    public override string PathAndQuery => path;

    public override IPAddress? Remote => IPAddress.Loopback;

    public override bool IsTls => false;

    public override long? BodyLength => 0;

    public override bool HasStarted => false;

    public override CancellationToken Left => CancellationToken.None;

    public override int Status => 200;

    public override long? BytesSent => null;

    public override string? Header(string name) =>
        Array.Find(headers, h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { Value: { } value } ? value : null;

    public override StringValues Headers(string name) => Header(name);

    public override ValueTask<Outcome> SendAsync() => throw new NotSupportedException();

    public override ValueTask AnswerAsync(Answer answer) => throw new NotSupportedException();

    /// <summary>As if these targets had been tried.</summary>
    public FakeExchange Having(ReadOnlySpan<TargetState?> tried)
    {
        foreach (var target in tried)
        {
            Claimed(target!, 0);
            Exclude();
        }
        return this;
    }
}

/// <summary>Questions of tests to the table.</summary>
internal static class TableQuestions
{
    public static RouteState? Find(this EdgeTable table, string host, string path = "/", params (string Name, string Value)[] headers) =>
        table.Find(new FakeExchange(host, path, headers));

    public static bool TryClaim(this EdgeTable table, string host, ReadOnlySpan<TargetState?> tried, out RouteState? route, [NotNullWhen(true)] out TargetState? target)
    {
        var exchange = new FakeExchange(host).Having(tried);
        var claimed = table.TryClaim(exchange);
        (route, target) = (exchange.Route, claimed ? exchange.Target : null);
        return claimed;
    }

    public static TargetState? Pick(this RouteState? route, ReadOnlySpan<TargetState?> tried, long now) => route!.Main.Pick(tried, now);

    /// <summary>The route, with a limit on idleness.</summary>
    public static Route Idling(this Route route, TimeSpan idle) =>
        route with { Policy = RoutePolicy.Default with { Time = new TimeLimits { Idle = idle, Response = idle } } };
}
