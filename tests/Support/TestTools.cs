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
        if (Environment.GetEnvironmentVariable("GROUNDCREW_KEEP_TEST_FOLDERS") == "1")
            return;
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

/// <summary>
/// Free ports of the loopback address, below those that the kernel gives to outgoing connections: one of these may take
/// the port of a program that is restarted, or even reach itself when it dials a port where nobody listens.
/// </summary>
public static class FreePort
{
    private const int First = 10_000;
    private const int Beyond = 20_000;
    private static readonly HashSet<int> Given = [];

    public static int Next()
    {
        lock (Given)
        {
            while (true)
            {
                var port = Random.Shared.Next(First, Beyond);
                if (Given.Contains(port) || !IsFree(port))
                    continue;
                Given.Add(port);
                return port;
            }
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
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

/// <summary>What code allocates, however busy the rest of the tests is.</summary>
public static class Allocated
{
    private const int Repetitions = 5;

    /// <summary>
    /// The fewest bytes that one of several runs allocated on this thread: a collection that another test caused in the middle of
    /// one may count the rest of the thread's block with it, but never in all of them.
    /// </summary>
    public static long AtLeast(Action work)
    {
        var least = long.MaxValue;
        for (var i = 0; i < Repetitions; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            work();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }
}
