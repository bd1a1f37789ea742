using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Groundcrew.Metrics;

/// <summary>
/// Reads an exposition line by line: Prometheus' text format (0.0.4, and 1.0.0 with quoted names) or OpenMetrics 1.0. One
/// object reads one exposition; it allocates nothing but its refusals (<see cref="ExpositionException"/>). Labels are
/// only looked at when they are asked for, so that a series that is known costs no more than finding its end.
/// </summary>
internal sealed class ExpositionParser
{
    private static readonly SearchValues<byte> NameBytes = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:"u8);
    private static readonly SearchValues<byte> LabelBytes = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"u8);
    private bool _open;
    private bool _ended;

    /// <summary>The line that was read last, from 1.</summary>
    public int LineNumber { get; private set; }

    /// <summary>Begins another exposition.</summary>
    public void Begin(ExpositionFormat format) => (_open, _ended, LineNumber) = (format == ExpositionFormat.OpenMetrics, false, 0);

    /// <summary>Reads one line, given without its line end.</summary>
    public void Read(ReadOnlySpan<byte> line, out ExpositionLine read)
    {
        read = default;
        LineNumber++;
        if (_ended)
            throw Refusal(0, "unexpected data after # EOF");
        var at = _open ? 0 : SkipBlanks(line, 0);
        if (at == line.Length)
        {
            if (_open)
                throw Refusal(0, "a blank line, which OpenMetrics does not allow");
            return;
        }
        if (line[at] == '#')
            ReadComment(line, at, ref read);
        else
            ReadSample(line, at, ref read);
    }

    /// <summary>
    /// Reads a line that begins with a sample's name and labels as a line before was read; false leaves it to <see cref="Read"/>.
    /// What is known needs no second look: braces and quotes end where they ended before.
    /// </summary>
    public bool TryReadKnown(ReadOnlySpan<byte> line, ReadOnlySpan<byte> series, out ExpositionLine read)
    {
        read = default;
        var end = series.Length;
        if (_ended || end == 0 || line.Length < end + 2 || line[end] != ' ' || line[end + 1] is (byte)' ' or (byte)'\t' or (byte)'{' || !line.StartsWith(series))
            return false;
        LineNumber++;
        read.Kind = LineKind.Sample;
        read.Series = line[..end];
        ReadWhatFollows(line, end + 1, ref read);
        return true;
    }

    /// <summary>Call after the last line.</summary>
    public void Finish()
    {
        if (_open && !_ended)
            throw new ExpositionException(LineNumber + 1, 0, "data does not end with # EOF");
    }

    /// <summary>Takes a sample's name and labels apart into a draft.</summary>
    public void ReadLabels(ReadOnlySpan<byte> series, int seriesAt, LabelDraft into)
    {
        into.Clear();
        var nameLength = LengthOf(series, NameBytes);
        if (nameLength > 0)
            into.Add(Labels.MetricNameUtf8, series[..nameLength]);
        var at = _open ? nameLength : SkipBlanks(series, nameLength);
        var named = nameLength > 0;
        if (at < series.Length)
            ReadBraces(series, at, seriesAt, into, ref named);
        if (!named)
            throw Refusal(seriesAt, "the sample has no metric name");
    }

    private void ReadBraces(ReadOnlySpan<byte> text, int at, int offset, LabelDraft into, ref bool named)
    {
        at++;
        while (true)
        {
            at = Blanks(text, at);
            if (text[at] == '}')
                return;
            var nameAt = at;
            var quoted = text[at] == '"';
            var name = quoted ? Quoted(text, ref at, offset) : Plain(text, ref at, offset);
            at = Blanks(text, at);
            if (text[at] == '=')
                ReadValue(text, name, nameAt, ref at, offset, into);
            else if (quoted && !named)
                named = AddName(name, nameAt, offset, into);
            else
                throw Refusal(offset + at, $"expected '=' after a label's name, found {Show(text, at)}");
            at = Blanks(text, at);
            if (text[at] == ',')
                at++;
            else if (text[at] != '}')
                throw Refusal(offset + at, $"expected ',' or '}}' after a label, found {Show(text, at)}");
        }
    }

    private void ReadValue(ReadOnlySpan<byte> text, ReadOnlySpan<byte> name, int nameAt, scoped ref int at, int offset, LabelDraft into)
    {
        at = Blanks(text, at + 1);
        if (text[at] != '"')
            throw Refusal(offset + at, $"expected a label's value in quotes, found {Show(text, at)}");
        var valueAt = at;
        var value = Quoted(text, ref at, offset);
        if (!Utf8.IsValid(value))
            throw Refusal(offset + valueAt, "invalid UTF-8 label value");
        if (name.IsEmpty || !Utf8.IsValid(name))
            throw Refusal(offset + nameAt, "the label's name is empty or not valid UTF-8");
        into.AddEscaped(name, value);
    }

    private bool AddName(ReadOnlySpan<byte> name, int nameAt, int offset, LabelDraft into)
    {
        if (name.IsEmpty || !Utf8.IsValid(name))
            throw Refusal(offset + nameAt, "the metric's name is empty or not valid UTF-8");
        into.AddEscaped(Labels.MetricNameUtf8, name);
        return true;
    }

    private void ReadSample(ReadOnlySpan<byte> line, int start, ref ExpositionLine read)
    {
        var at = start + LengthOf(line[start..], NameBytes);
        if (at == start && line[start] != '{')
            throw Refusal(start, $"expected a metric's name, found {Show(line, start)}");
        var end = at;
        var brace = Blanks(line, at);
        var labelled = brace < line.Length && line[brace] == '{';
        if (labelled)
            at = end = EndOfBraces(line, brace);
        read.Kind = LineKind.Sample;
        read.Series = line[start..end];
        read.SeriesAt = start;
        at = Separator(line, at, optional: labelled && !_open, "expected a value after the metric");
        ReadWhatFollows(line, at, ref read);
    }

    private void ReadWhatFollows(ReadOnlySpan<byte> line, int at, ref ExpositionLine read)
    {
        var value = Word(line, ref at);
        if (!ExpositionNumber.TryParse(value, out read.Value))
            throw Refusal(at - value.Length, value.IsEmpty ? "expected a value after the metric" : $"the value {Show(value)} is no number");
        if (Rest(line, ref at) && line[at] != '#')
            ReadTime(line, ref at, ref read);
        if (Rest(line, ref at))
            ReadExemplar(line, at, ref read);
    }

    private void ReadTime(ReadOnlySpan<byte> line, scoped ref int at, ref ExpositionLine read)
    {
        var word = Word(line, ref at);
        if (!_open)
        {
            if (!ExpositionNumber.TryParseTime(word, out var time))
                throw Refusal(at - word.Length, $"the timestamp {Show(word)} is no whole number of milliseconds");
            read.Time = time;
        }
        else
        {
            read.Time = Seconds(word, at - word.Length);
        }
    }

    private long Seconds(ReadOnlySpan<byte> word, int at)
    {
        if (!ExpositionNumber.TryParse(word, out var seconds) || !double.IsFinite(seconds) || Math.Abs(seconds) > 9e15)
            throw Refusal(at, $"the timestamp {Show(word)} is no number of seconds");
        return (long)(seconds * 1000);
    }

    private void ReadExemplar(ReadOnlySpan<byte> line, int at, ref ExpositionLine read)
    {
        if (!_open || line[at] != '#')
            throw Refusal(at, $"expected the end of the line, found {Show(line, at)}");
        var start = at;
        if (at + 2 >= line.Length || line[at + 1] != ' ' || line[at + 2] != '{')
            throw Refusal(at, "expected an exemplar: # {labels} value");
        at = EndOfBraces(line, at + 2);
        at = Separator(line, at, optional: false, "expected the exemplar's value");
        var value = Word(line, ref at);
        if (!ExpositionNumber.TryParse(value, out _))
            throw Refusal(at - value.Length, $"the exemplar's value {Show(value)} is no number");
        if (Rest(line, ref at))
        {
            var word = Word(line, ref at);
            _ = Seconds(word, at - word.Length);
        }
        if (at < line.Length)
            throw Refusal(at, $"expected the end of the line, found {Show(line, at)}");
        read.Exemplar = line[start..];
        read.ExemplarAt = start;
    }

    /// <summary>Takes the exemplar of a line apart; its time is null when it does not say one.</summary>
    public void ReadExemplar(in ExpositionLine read, LabelDraft into, out double value, out long? time)
    {
        // "# {labels} value time", of which all but the labels was judged already.
        var text = read.Exemplar;
        into.Clear();
        var at = EndOfBraces(text, 2);
        var named = true;
        ReadBraces(text[..at], 2, read.ExemplarAt, into, ref named);
        into.Pack(out var repeated);
        if (repeated >= 0)
            throw Refusal(read.ExemplarAt, $"label name {Show(into.NameAt(repeated))} of the exemplar is not unique");
        at++;
        if (!ExpositionNumber.TryParse(Word(text, ref at), out value))
            throw Refusal(read.ExemplarAt, "the exemplar's value is no number");
        time = null;
        if (Rest(text, ref at))
            time = Seconds(Word(text, ref at), read.ExemplarAt + at);
    }

    // "# HELP name text", "# TYPE name type", "# UNIT name unit"; in the text format anything else is a comment.
    private void ReadComment(ReadOnlySpan<byte> line, int start, ref ExpositionLine read)
    {
        if (_open && line.SequenceEqual("# EOF"u8))
        {
            read.Kind = LineKind.End;
            _ended = true;
            return;
        }
        var at = start + 1;
        at = _open ? at + (at < line.Length && line[at] == ' ' ? 1 : 0) : SkipBlanks(line, at);
        var word = Word(line, ref at);
        var kind = word.SequenceEqual("HELP"u8) ? LineKind.Help : word.SequenceEqual("TYPE"u8) ? LineKind.Type : _open && word.SequenceEqual("UNIT"u8) ? LineKind.Unit : LineKind.Nothing;
        if (kind == LineKind.Nothing)
        {
            if (_open)
                throw Refusal(start, "expected # HELP, # TYPE, # UNIT or # EOF");
            return;
        }
        at = Separator(line, at, optional: false, "expected a metric's name");
        read.Kind = kind;
        read.SeriesAt = at;
        read.Series = MetaName(line, ref at);
        var end = at;
        at = _open ? at + (at < line.Length && line[at] == ' ' ? 1 : 0) : SkipBlanks(line, at);
        if (at == end && at < line.Length)
            throw Refusal(at, $"expected a blank after the metric's name, found {Show(line, at)}");
        read.Text = line[at..];
        JudgeText(read, at);
    }

    private ReadOnlySpan<byte> MetaName(ReadOnlySpan<byte> line, scoped ref int at)
    {
        if (at < line.Length && line[at] == '"')
            return Quoted(line, ref at, 0);
        var length = LengthOf(line[at..], NameBytes);
        if (length == 0)
            throw Refusal(at, $"expected a metric's name, found {Show(line, at)}");
        at += length;
        return line.Slice(at - length, length);
    }

    private void JudgeText(in ExpositionLine read, int at)
    {
        if (read.Kind == LineKind.Help && !Utf8.IsValid(read.Text))
            throw Refusal(at, "the help is not valid UTF-8");
        if (read.Kind == LineKind.Type && TypeOf(read.Text) is null)
            throw Refusal(at, $"invalid metric type {Show(read.Text)}");
        if (read.Kind == LineKind.Unit && !read.Text.IsEmpty && !(read.Series.EndsWith(read.Text) && read.Series.Length > read.Text.Length && read.Series[^(read.Text.Length + 1)] == '_'))
            throw Refusal(at, $"unit {Show(read.Text)} not a suffix of metric {Show(read.Series)}");
    }

    /// <summary>The type's name as the API shows it; null for none.</summary>
    public static string? TypeOf(ReadOnlySpan<byte> text) => text switch
    {
        _ when text.SequenceEqual("counter"u8) => "counter",
        _ when text.SequenceEqual("gauge"u8) => "gauge",
        _ when text.SequenceEqual("histogram"u8) => "histogram",
        _ when text.SequenceEqual("gaugehistogram"u8) => "gaugehistogram",
        _ when text.SequenceEqual("summary"u8) => "summary",
        _ when text.SequenceEqual("info"u8) => "info",
        _ when text.SequenceEqual("stateset"u8) => "stateset",
        _ when text.SequenceEqual("unknown"u8) || text.SequenceEqual("untyped"u8) => "unknown",
        _ => null,
    };

    private int EndOfBraces(ReadOnlySpan<byte> line, int brace)
    {
        var at = brace + 1;
        while (true)
        {
            var step = line[at..].IndexOfAny((byte)'"', (byte)'}');
            if (step < 0)
                throw Refusal(brace, "the brace is not closed in this line");
            at += step;
            if (line[at] == '}')
                return at + 1;
            Quoted(line, ref at, 0);
        }
    }

    // The text between quotes, with its escapes; at goes behind the closing quote.
    private ReadOnlySpan<byte> Quoted(ReadOnlySpan<byte> text, scoped ref int at, int offset)
    {
        var start = at + 1;
        for (var i = start; ;)
        {
            var step = text[i..].IndexOfAny((byte)'"', (byte)'\\');
            if (step < 0 || (text[i + step] == '\\' && i + step + 1 >= text.Length))
                throw Refusal(offset + at, "the quote is not closed in this line");
            i += step;
            if (text[i] == '"')
            {
                at = i + 1;
                return text[start..i];
            }
            i += 2;
        }
    }

    private ReadOnlySpan<byte> Plain(ReadOnlySpan<byte> text, scoped ref int at, int offset)
    {
        var length = LengthOf(text[at..], LabelBytes);
        if (length == 0)
            throw Refusal(offset + at, $"expected a label's name, found {Show(text, at)}");
        at += length;
        return text.Slice(at - length, length);
    }

    private static int LengthOf(ReadOnlySpan<byte> text, SearchValues<byte> bytes)
    {
        if (text.IsEmpty || text[0] is >= (byte)'0' and <= (byte)'9')
            return 0;
        var length = text.IndexOfAnyExcept(bytes);
        return length < 0 ? text.Length : length;
    }

    private int Blanks(ReadOnlySpan<byte> text, int at) => _open ? at : SkipBlanks(text, at);

    private static int SkipBlanks(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && text[at] is (byte)' ' or (byte)'\t')
            at++;
        return at;
    }

    private int Separator(ReadOnlySpan<byte> line, int at, bool optional, string wanted)
    {
        var next = _open ? (at < line.Length && line[at] == ' ' ? at + 1 : at) : SkipBlanks(line, at);
        if (next == line.Length || (next == at && !optional))
            throw Refusal(at, $"{wanted}, found {Show(line, at)}");
        return next;
    }

    private ReadOnlySpan<byte> Word(ReadOnlySpan<byte> line, scoped ref int at)
    {
        var start = at;
        var step = _open ? line[at..].IndexOf((byte)' ') : line[at..].IndexOfAny((byte)' ', (byte)'\t');
        at = step < 0 ? line.Length : at + step;
        return line[start..at];
    }

    // Whether something follows the word that ended here.
    private bool Rest(ReadOnlySpan<byte> line, scoped ref int at)
    {
        if (!_open)
            at = SkipBlanks(line, at);
        else if (at < line.Length && line[at] == ' ' && ++at == line.Length)
            throw Refusal(at - 1, "a blank at the end of the line");
        return at < line.Length;
    }

    private ExpositionException Refusal(int at, string message) => new(LineNumber, at, message);

    private static string Show(ReadOnlySpan<byte> line, int at) => at >= line.Length ? "the end of the line" : Show(line[at..]);

    private static string Show(ReadOnlySpan<byte> text) => LabelText.Quoted(Encoding.UTF8.GetString(text.Length > 32 ? text[..32] : text));
}
