using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary>How a command ended.</summary>
internal sealed record Ran(int Code, string Out, string Error)
{
    public ExitCode Exit => (ExitCode)Code;

    public JsonElement Json()
    {
        using var document = JsonDocument.Parse(Out);
        return document.RootElement.Clone();
    }

    public void Ends(ExitCode code) => Assert.True(Exit == code, $"It ended with {Exit} instead of {code}.\nstdout: {Out}\nstderr: {Error}");
}

/// <summary>Runs the real command tree in a data folder of the test, as a person on a terminal of 80 columns or as a script.</summary>
internal sealed class Crew : IDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);
    private readonly TempFolder _folder = new();

    public Crew(FakeControl? control = null)
    {
        if (control is null)
            return;
        new PlatformFile { ControlPort = control.Port }.Write(Data, DurableFiles.Real);
        DurableFiles.Real.Replace(PlatformFile.AdminTokenOf(Data), FakeControl.Token + "\n");
    }

    public string Data => _folder["data"];

    public string Work
    {
        get
        {
            Directory.CreateDirectory(_folder["work"]);
            return _folder["work"];
        }
    }

    public TimeProvider Clock { get; init; } = new FixedClock();

    public CrewEnvironment Environment { get; init; } = new();

    public Task<Ran> AsScriptAsync(params string[] args) => RunAsync(false, "", CancellationToken.None, args);

    public Task<Ran> AsPersonAsync(params string[] args) => RunAsync(true, "", CancellationToken.None, args);

    public async Task<Ran> RunAsync(bool terminal, string typed, CancellationToken cancellation, params string[] args)
    {
        var (output, error) = (new Kept(), new Kept());
        var console = new CrewConsole
        {
            Out = output, Error = error, In = new StringReader(typed), OutIsTerminal = terminal, ErrorIsTerminal = terminal, InIsTerminal = terminal, Width = 80,
            ReadHidden = () => "typed-unseen",
        };
        var root = CrewCommands.Build(Clock, Environment, console);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, TestContext.Current.CancellationToken);
        string[] all = args[0].StartsWith('[') || args.Contains("--data") || args.Contains("--url") || Environment.Data is not null ? args : [.. args, "--data", Data];
        var code = await CrewCommands.RunAsync(root, all, either.Token);
        var ran = new Ran(code, output.ToString(), error.ToString());
        Assert.DoesNotContain(FakeControl.Token, ran.Out + ran.Error, StringComparison.Ordinal);
        return ran;
    }

    public string Write(string name, string text, UnixFileMode mode = DurableFiles.Private)
    {
        var path = Path.Combine(Work, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, mode);
        return path;
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>A writer that several tasks may write to.</summary>
    private sealed class Kept : TextWriter
    {
        private readonly StringBuilder _text = new();

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value)
        {
            lock (_text)
                _text.Append(value);
        }

        public override void Write(string? value)
        {
            lock (_text)
                _text.Append(value);
        }

        public override string ToString()
        {
            lock (_text)
                return _text.ToString();
        }
    }

    /// <summary>Tells one time for ever, and lets timers run in real time, for the waiting of a real command.</summary>
    private sealed class FixedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Now;
    }
}
