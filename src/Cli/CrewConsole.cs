using System.Text;

namespace Groundcrew.Cli;

/// <summary>Where a command reads and writes, and which of it a person sees.</summary>
public sealed record CrewConsole
{
    /// <summary>Results: tables for people, or JSON.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Words about what happens.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>What is piped in.</summary>
    public required TextReader In { get; init; }

    /// <summary>Whether a person sees <see cref="Out"/>.</summary>
    public bool OutIsTerminal { get; init; }

    /// <summary>Whether a person sees <see cref="Error"/>.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Whether a person types into <see cref="In"/>.</summary>
    public bool InIsTerminal { get; init; }

    /// <summary>Columns of the terminal.</summary>
    public int Width { get; init; } = 80;

    /// <summary>Reads a line that is not shown while it is typed; null at the end of the input.</summary>
    public Func<string?> ReadHidden { get; init; } = ReadHiddenLine;

    /// <summary>The console of this process.</summary>
    public static CrewConsole OfProcess()
    {
        var isPlain = Console.IsOutputRedirected;
        return new CrewConsole
        {
            Out = Console.Out,
            Error = Console.Error,
            In = Console.In,
            OutIsTerminal = !isPlain,
            ErrorIsTerminal = !Console.IsErrorRedirected,
            InIsTerminal = !Console.IsInputRedirected,
            Width = isPlain ? 80 : Math.Max(40, Console.WindowWidth),
        };
    }

    private static string? ReadHiddenLine()
    {
        var typed = new StringBuilder();
        while (true)
        {
            var key = Console.ReadKey(intercept: true);
            if (key.Key is ConsoleKey.Enter)
                return typed.ToString();
            if (key.Key is ConsoleKey.Backspace && typed.Length > 0)
                typed.Length--;
            else if (key.Key is ConsoleKey.D && key.Modifiers is ConsoleModifiers.Control)
                return null;
            else if (!char.IsControl(key.KeyChar))
                typed.Append(key.KeyChar);
        }
    }
}
