using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Groundcrew.Bench;

/// <summary>One run of a driver: the signals that end it, what was found, and the code that it exits with.</summary>
internal sealed class BenchRun : IDisposable
{
    /// <summary>The exit code after words that were not understood.</summary>
    public const int NotUnderstood = 64;

    private static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly string _name;
    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _signals;
    private int _errors;

    /// <param name="name">The folder of the bench, such as <c>bench/edge</c>.</param>
    public BenchRun(string name)
    {
        _name = name;
        _signals = [PosixSignalRegistration.Create(PosixSignal.SIGTERM, End), PosixSignalRegistration.Create(PosixSignal.SIGINT, End)];
    }

    /// <summary>Fires when the run shall end.</summary>
    public CancellationToken Stop => _stop.Token;

    /// <summary>What is written at the end, in its order.</summary>
    public Dictionary<string, object> Results { get; } = new(StringComparer.Ordinal)
    {
        ["at"] = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture),
        ["machine"] = $"{Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1 << 30)} GiB, {RuntimeInformation.OSDescription}",
    };

    /// <summary>The options; null, and a word on stderr, when they cannot be read.</summary>
    public async Task<T?> ReadAsync<T>(Func<T> read)
        where T : BenchOptions
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException)
        {
            await Console.Error.WriteLineAsync($"{_name}: {e.Message}");
            return null;
        }
    }

    /// <summary>Measures, and writes what was found to the file, or to stdout without one.</summary>
    /// <returns>The exit code: 1 when a figure had an error.</returns>
    public async Task<int> ToEndAsync(string? file, Func<Task> measure)
    {
        try
        {
            await measure();
        }
        catch (OperationCanceledException) when (Stop.IsCancellationRequested)
        {
            return 130;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or HttpRequestException)
        {
            await Console.Error.WriteLineAsync($"{_name}: nothing was measured: {e.Message}");
            return 70;
        }
        Results["errors"] = _errors;
        var text = JsonSerializer.Serialize(Results, Form);
        if (file is not null)
            await File.WriteAllTextAsync(file, text + "\n");
        else
            await Console.Out.WriteLineAsync(text);
        return _errors == 0 ? 0 : 1;
    }

    /// <summary>Takes one figure and prints its table; when it fails, the others may still be taken.</summary>
    public async Task TakeAsync(string figure, Findings findings, Func<Task> measure)
    {
        await Console.Error.WriteLineAsync($"{figure}…");
        try
        {
            await measure();
        }
        catch (Exception e) when (e is IOException or InvalidDataException or HttpRequestException or SocketException || (e is OperationCanceledException && !Stop.IsCancellationRequested))
        {
            findings.Fail("all", e.Message);
        }
        await findings.PrintAsync(Console.Error);
        Results[figure] = findings.Report();
        _errors += findings.Errors.Count;
    }

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
        _stop.Dispose();
    }

    private void End(PosixSignalContext context)
    {
        context.Cancel = true;
        _stop.Cancel();
    }
}
