using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Cli.Speaking;

/// <summary>One of the two streams that a command speaks to. Escape sequences reach terminals only.</summary>
internal sealed class Screen(TextWriter writer, bool isTerminal, bool withoutColor, int width)
{
    public TextWriter Writer { get; } = writer;

    public bool IsTerminal { get; } = isTerminal;

    public int Width { get; } = width;

    public Ink Ink { get; } = new(isTerminal && !withoutColor);

    public void Line(string text = "") => Writer.WriteLine(text);

    /// <summary>A name and a value, with the values below each other.</summary>
    public void Field(string name, string? value, Tone tone = Tone.Plain)
    {
        if (value is { Length: > 0 })
            Line($"{Ink.Of(Tone.Dim, name.PadRight(14))}{Ink.Of(tone, Text.Clean(value))}");
    }
}

/// <summary>Views as JSON, for programs.</summary>
internal static class JsonOut
{
    public static void Write<T>(TextWriter output, T view) => output.WriteLine(JsonSerializer.Serialize(view, Json.Indented));
}
