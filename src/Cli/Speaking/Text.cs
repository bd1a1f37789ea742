using Groundcrew.Bedrock;

namespace Groundcrew.Cli.Speaking;

/// <summary>Text that came from elsewhere, and times, as people read them. Pure.</summary>
internal static class Text
{
    /// <summary>Without control characters, which could move the cursor or colour the terminal of whoever reads it.</summary>
    public static string Clean(string text) =>
        text.Any(c => char.IsControl(c) && c != '\n')
            ? string.Concat(text.Select(c => c == '\t' ? ' ' : c).Where(c => !char.IsControl(c) || c == '\n'))
            : text;

    /// <summary>The first line, for a cell of a table.</summary>
    public static string FirstLine(string text) => Clean(text.Split('\n', 2)[0].Trim());

    /// <summary>At most so many characters, with a sign that there was more.</summary>
    public static string Cut(string text, int width) => text.Length <= width ? text : width <= 1 ? "…" : text[..(width - 1)] + "…";

    /// <summary>The end of an id: its beginning is a time, which many share.</summary>
    public static string Short(Guid id) => id.ToString()[^8..];

    /// <summary>How long ago, such as <c>3 min ago</c>.</summary>
    public static string Ago(DateTimeOffset at, DateTimeOffset now) => (now - at) switch
    {
        var ago when ago < TimeSpan.FromSeconds(-1) => $"in {Span(-ago)}",
        var ago when ago < TimeSpan.FromSeconds(2) => "just now",
        var ago => $"{Span(ago)} ago",
    };

    /// <summary>A length of time in one unit.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { TotalSeconds: < 90 } => $"{Math.Max(1, (int)span.TotalSeconds)} s",
        { TotalMinutes: < 90 } => $"{(int)span.TotalMinutes} min",
        { TotalHours: < 36 } => $"{(int)span.TotalHours} h",
        _ => $"{(int)span.TotalDays} d",
    };

    /// <summary>A time that a step took.</summary>
    public static string Took(TimeSpan span) => span.TotalSeconds < 60 ? $"{Math.Max(0, span.TotalSeconds):0.0} s" : Span(span);

    public static string Bytes(long bytes) => Quantity.FormatBytes(bytes);

    public static string Count(int count, string one) => count == 1 ? $"1 {one}" : $"{count} {one}s";
}
