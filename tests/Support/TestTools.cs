using System.Net;
using System.Net.Sockets;
using Groundcrew.Bedrock;

namespace Groundcrew.Tests.Support;

/// <summary>A folder of one test, gone after it.</summary>
public sealed class TempFolder : IDisposable
{
    public TempFolder() => Path = Directory.CreateTempSubdirectory("gc-test-").FullName;

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException)
        {
            // A program under test may still write; the folder is in the system's temporary space.
        }
    }
}

/// <summary>Waits for a level, never for a time: polls a condition under a generous limit.</summary>
public static class Eventually
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? limit = null) =>
        TrueAsync(() => Task.FromResult(condition()), what, limit);

    public static async Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? limit = null)
    {
        var until = TimeProvider.System.GetTimestamp() + (long)((limit ?? Limit).TotalSeconds * TimeProvider.System.TimestampFrequency);
        while (!await condition())
        {
            if (TimeProvider.System.GetTimestamp() > until)
                throw new TimeoutException($"Not seen within {limit ?? Limit}: {what}");
            await Task.Delay(10);
        }
    }
}

/// <summary>Free ports of the loopback address.</summary>
public static class FreePort
{
    public static int Next()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>Keeps what was raised.</summary>
public sealed class SeenSignals : ISignals
{
    private readonly List<Signal> _seen = [];

    public IReadOnlyList<Signal> All
    {
        get
        {
            lock (_seen)
                return [.. _seen];
        }
    }

    public void Raise(Signal signal)
    {
        lock (_seen)
            _seen.Add(signal);
    }
}
