using System.CommandLine;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Calling;

/// <summary>One command as it runs: what was asked, whom it asks, and where it speaks.</summary>
internal sealed class Call : IDisposable
{
    private readonly Lazy<CrewClient> _client;
    private PatientHandler? _patience;

    public Call(ParseResult parsed, CrewRoot root, CancellationToken cancellation)
    {
        (Parsed, Root, Cancellation) = (parsed, root, cancellation);
        IsJson = root.IsJson(parsed);
        var plain = root.IsWithoutColor(parsed);
        Out = new Screen(root.Terminal.Out, root.Terminal.OutIsTerminal, plain, root.Terminal.Width);
        Words = new Screen(root.Terminal.Error, root.Terminal.ErrorIsTerminal, plain, root.Terminal.Width);
        _client = new Lazy<CrewClient>(Connect);
    }

    public ParseResult Parsed { get; }

    public CrewRoot Root { get; }

    public CancellationToken Cancellation { get; }

    public bool IsJson { get; }

    /// <summary>Results: stdout.</summary>
    public Screen Out { get; }

    /// <summary>What happens: stderr.</summary>
    public Screen Words { get; }

    public TimeProvider Clock => Root.Clock;

    public DateTimeOffset Now => Clock.GetUtcNow();

    public CrewClient Client => _client.Value;

    /// <summary>Whether calls wait for a control plane that was there before and is away.</summary>
    public bool IsPatient
    {
        set
        {
            _ = Client;
            _patience!.IsPatient = value;
        }
    }

    public T? Value<T>(Option<T> option) => Parsed.GetValue(option);

    public T Value<T>(Argument<T> argument) => Parsed.GetValue(argument)!;

    /// <summary>Whether the option was typed, whatever its default is.</summary>
    public bool Has(Option option) => Parsed.GetResult(option) is { Implicit: false };

    public Task<T> GetAsync<T>(string path) => Client.GetAsync<T>(path, Cancellation);

    /// <summary>Shows a view: as JSON, or in words.</summary>
    public ExitCode Show<T>(T view, Action<T> words)
    {
        if (IsJson)
            JsonOut.Write(Out.Writer, view);
        else
            words(view);
        return ExitCode.Ok;
    }

    /// <summary>Shows a list: as a JSON array, as a table, or what to do when it is empty.</summary>
    public ExitCode List<T>(IReadOnlyList<T> items, string whenEmpty, Func<IReadOnlyList<T>, Listing> table)
    {
        if (IsJson)
            JsonOut.Write(Out.Writer, items);
        else if (items.Count == 0)
            Words.Line(whenEmpty);
        else
            table(items).Write(Out);
        return ExitCode.Ok;
    }

    /// <summary>Asks for a name to be typed; a script says <c>--yes</c>.</summary>
    public void Confirm(bool yes, string what, string name)
    {
        if (yes)
            return;
        var terminal = Root.Terminal;
        if (!terminal.InIsTerminal || !terminal.ErrorIsTerminal)
            throw new CrewFailedException(ExitCode.Usage, $"{what} Add --yes to do it.");
        terminal.Error.Write($"{what} Type '{name}' to do it: ");
        if (terminal.In.ReadLine()?.Trim() != name)
            throw new CrewFailedException(ExitCode.Usage, "Nothing was done.");
    }

    public void Dispose()
    {
        if (_client.IsValueCreated)
            _client.Value.Dispose();
        _patience?.Dispose();
    }

    private CrewClient Connect()
    {
        var connection = Connection.Of(Parsed, Root);
        _patience = new PatientHandler(Clock, new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(5) });
        return new CrewClient(connection.Address, connection.Token, Clock, _patience);
    }
}
