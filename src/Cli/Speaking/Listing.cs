using System.Text;

namespace Groundcrew.Cli.Speaking;

/// <summary>A column of a table.</summary>
/// <param name="Title">In capitals above it.</param>
/// <param name="IsNumber">Numbers stand at the right.</param>
/// <param name="Least">How narrow it may become on a narrow terminal; null when it is never cut.</param>
internal sealed record Column(string Title, bool IsNumber = false, int? Least = null);

/// <summary>A cell, with its colour.</summary>
internal readonly record struct Cell(string Text, Tone Tone = Tone.Plain)
{
    public static implicit operator Cell(string? text) => new(text ?? "");

    public static implicit operator Cell(int number) => new(number.ToString());

    /// <summary>A state's word in its colour.</summary>
    public static Cell State(string word) => new(word, Ink.OfState(word));
}

/// <summary>
/// A table of stable columns without rulers or tabs. On a terminal wide columns are cut to its width; in a file or pipe
/// nothing is ever cut.
/// </summary>
internal sealed class Listing(params Column[] columns)
{
    private const int Gap = 2;
    private readonly List<Cell[]> _rows = [];

    public Listing Add(params Cell[] cells)
    {
        _rows.Add([.. cells.Select(c => c with { Text = Text.FirstLine(c.Text) })]);
        return this;
    }

    public void Write(Screen screen)
    {
        var widths = Widths(screen.IsTerminal ? screen.Width : int.MaxValue);
        WriteRow(screen, [.. columns.Select(c => new Cell(c.Title, Tone.Dim))], widths);
        foreach (var row in _rows)
            WriteRow(screen, row, widths);
    }

    private int[] Widths(int most)
    {
        var widths = columns.Select((column, i) => _rows.Select(r => r[i].Text.Length).Append(column.Title.Length).Max()).ToArray();
        while (widths.Sum(w => (long)w) + Gap * (columns.Length - 1) > most)
        {
            var widest = Enumerable.Range(0, columns.Length).Where(i => widths[i] > (columns[i].Least ?? int.MaxValue)).OrderByDescending(i => widths[i]).Cast<int?>().FirstOrDefault();
            if (widest is not { } cut)
                break;
            widths[cut]--;
        }
        return widths;
    }

    private void WriteRow(Screen screen, Cell[] cells, int[] widths)
    {
        var line = new StringBuilder();
        for (var i = 0; i < columns.Length; i++)
        {
            var text = Text.Cut(cells[i].Text, widths[i]);
            var space = new string(' ', widths[i] - text.Length);
            var inked = screen.Ink.Of(cells[i].Tone, text);
            line.Append(columns[i].IsNumber ? space + inked : inked + space).Append(' ', i < columns.Length - 1 ? Gap : 0);
        }
        screen.Line(line.ToString().TrimEnd(' '));
    }
}
