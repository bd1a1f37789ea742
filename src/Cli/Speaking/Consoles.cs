using Spectre.Console;

namespace Groundcrew.Cli.Speaking;

/// <summary>The library's console for what moves on a terminal.</summary>
internal static class Consoles
{
    public static IAnsiConsole On(Screen screen)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = screen.Ink.IsOn ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.Yes,
            Out = new AnsiConsoleOutput(screen.Writer),
        });
        console.Profile.Width = screen.Width;
        console.Profile.Capabilities.Unicode = true;
        return console;
    }

    public static Style StyleOf(Tone tone) => tone switch
    {
        Tone.Good => new Style(Color.Green),
        Tone.Bad => new Style(Color.Red),
        Tone.Warning => new Style(Color.Olive),
        Tone.Cyan => new Style(Color.Teal),
        Tone.Dim => new Style(decoration: Decoration.Dim),
        Tone.Strong => new Style(decoration: Decoration.Bold),
        _ => Style.Plain,
    };
}
