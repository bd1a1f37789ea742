using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Edge;

/// <summary>
/// The Unix domain socket <c>handover.sock</c> in an edge's state folder, for processes of the same user only. It appears
/// under its name in one step, so that whoever connects reaches the edge that serves. Thread-safe.
/// </summary>
internal sealed class HandoverDoor(
    string stateFolder, Func<HandoverLines, HandoverAsk, CancellationToken, Task> serve, uint user, TimeProvider clock, ILogger log) : IAsyncDisposable
{
    private const int Backlog = 16;
    private const int MostVisitors = 64;
    private const int LongestPath = 107;
    private static readonly TimeSpan AskWithin = TimeSpan.FromSeconds(5);
    private readonly CancellationTokenSource _closing = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly SemaphoreSlim _places = new(MostVisitors);
    private Socket? _socket;
    private Task _accepting = Task.CompletedTask;

    /// <summary>The socket of a state folder; null when its path is longer than a socket's name may be (unix(7)).</summary>
    public static string? PathOf(string stateFolder) =>
        Path.Combine(stateFolder, "handover.sock") is var path && Encoding.UTF8.GetByteCount(path) <= LongestPath - 12 ? path : null;

    /// <summary>Opens it in the place of an earlier one.</summary>
    public void Open()
    {
        if (PathOf(stateFolder) is not { } path)
        {
            log.LogWarning("The path of '{Folder}' is too long for a socket: this edge cannot be replaced while it serves.", stateFolder);
            return;
        }
        Directory.CreateDirectory(stateFolder);
        var first = $"{path}.{Environment.ProcessId}";
        File.Delete(first);
        _socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _socket.Bind(new UnixDomainSocketEndPoint(first));
        File.SetUnixFileMode(first, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _socket.Listen(Backlog);
        File.Move(first, path, overwrite: true);
        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Lets nobody in any more; who is in stays.</summary>
    public async Task CloseAsync()
    {
        await _closing.CancelAsync();
        await _accepting;
        _socket?.Dispose();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await _ending.CancelAsync();
        for (var i = 0; i < MostVisitors; i++)
            await _places.WaitAsync();
        _places.Dispose();
        _closing.Dispose();
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                await _places.WaitAsync(_closing.Token);
                try
                {
                    var visitor = await _socket!.AcceptAsync(_closing.Token);
                    _ = Task.Run(() => ReceiveAsync(visitor));
                }
                catch (Exception)
                {
                    _places.Release();
                    throw;
                }
            }
        }
        catch (OperationCanceledException) when (_closing.IsCancellationRequested)
        {
            // The way that it ends.
        }
        catch (SocketException e)
        {
            log.LogError("The handover socket failed ({Reason}): this edge cannot be replaced while it serves.", e.Message);
        }
    }

    private async Task ReceiveAsync(Socket visitor)
    {
        using var lines = new HandoverLines(visitor);
        var (pid, peer) = (0, uint.MaxValue);
        try
        {
            (pid, peer) = Descriptors.PeerOf(visitor);
            if (await AskedAsync(lines, peer) is { } ask)
                await serve(lines, ask, _ending.Token);
        }
        catch (InvalidDataException e)
        {
            log.LogWarning("Process {Pid} of user {User} said what is not understood on the handover socket: {Reason}", pid, peer, e.Message);
            await TryRefuseAsync(lines, e.Message);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            log.LogInformation("Process {Pid} left the handover socket: {Reason}", pid, e.Message);
        }
        catch (OperationCanceledException)
        {
            log.LogInformation("The talk with process {Pid} on the handover socket took too long, or this edge ends.", pid);
        }
        finally
        {
            _places.Release();
        }
    }

    /// <summary>The question; null when it was answered with a refusal, or none came.</summary>
    private async Task<HandoverAsk?> AskedAsync(HandoverLines lines, uint peer)
    {
        using var limit = new CancellationTokenSource(AskWithin, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _ending.Token);
        if (await lines.ReadAsync<HandoverAsk>(either.Token) is not { } ask)
            return null;
        // Only now: what is closed with something unread takes its last words with it.
        var refusal = peer != user ? $"Only user {user} may speak to this edge, not user {peer}."
            : ask.Version != HandoverAsk.Current ? $"This edge speaks version {HandoverAsk.Current} of the handover protocol, not version {ask.Version}."
            : null;
        if (refusal is null)
            return ask;
        await RefuseAsync(lines, refusal);
        return null;
    }

    private async Task TryRefuseAsync(HandoverLines lines, string why)
    {
        try
        {
            await RefuseAsync(lines, why);
        }
        catch (IOException)
        {
            // It did not wait for an answer.
        }
    }

    private Task RefuseAsync(HandoverLines lines, string why) =>
        lines.WriteAsync(new HandoverAnswer(HandoverAsk.Current, null, Refused: why), _ending.Token);
}
