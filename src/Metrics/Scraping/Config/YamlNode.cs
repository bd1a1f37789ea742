using Groundcrew.Bedrock;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Groundcrew.Metrics;

/// <summary>A piece of YAML with its line, from 1.</summary>
internal abstract record YamlNode(int Line)
{
    public abstract string Says { get; }
}

internal sealed record YamlText(string Text, bool IsPlain, int Line) : YamlNode(Line)
{
    /// <summary>Whether nothing stands there: YAML's null.</summary>
    public bool IsNothing => IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";

    public override string Says => "a single value";
}

internal sealed record YamlList(IReadOnlyList<YamlNode> Items, int Line) : YamlNode(Line)
{
    public override string Says => "a list";
}

internal sealed record YamlMap(IReadOnlyList<YamlEntry> Entries, int Line) : YamlNode(Line)
{
    public override string Says => "a map";
}

internal sealed record YamlEntry(string Key, YamlNode Value, int Line);

/// <summary>
/// Makes a tree of YAML as people write it for Prometheus, with anchors, aliases and merge keys. Aliases share what they
/// name; a bound on the nodes that they stand for keeps a small file from becoming a large one. One object reads one text.
/// </summary>
internal sealed class YamlTree
{
    private const int MaxDepth = 32;
    private const int MaxNodes = 500_000;

    private readonly Scanner _scanner;
    private readonly Parser _parser;
    private readonly ProblemList _problems;
    private readonly Dictionary<string, (YamlNode Node, int Size)> _anchors = new(StringComparer.Ordinal);
    private int _nodes;

    private YamlTree(string yaml, ProblemList problems)
    {
        _scanner = new Scanner(new StringReader(yaml));
        _parser = new Parser(_scanner);
        _problems = problems;
    }

    /// <summary>The tree; null when the text is empty or no YAML, which is then among the problems.</summary>
    public static YamlNode? Read(string yaml, ProblemList problems)
    {
        var tree = new YamlTree(yaml, problems);
        try
        {
            return tree.ReadDocument();
        }
        catch (YamlException refusal)
        {
            problems.Add("yaml-syntax", "", $"The text is no YAML here: {refusal.Message.TrimEnd('.')}.", "Mend the syntax.", (int)refusal.Start.Line);
        }
        catch (InvalidOperationException refusal)
        {
            // The scanner's word for a mark where none may begin, such as the '-' in [-].
            problems.Add("yaml-syntax", "", $"The text is no YAML: {refusal.Message.TrimEnd('.')}.", "Mend the syntax.", (int)tree._scanner.CurrentPosition.Line);
        }
        return null;
    }

    private YamlNode? ReadDocument()
    {
        _parser.MoveNext();
        _parser.MoveNext();
        if (_parser.Current is not DocumentStart)
            return null;
        _parser.MoveNext();
        var root = ReadNode(1);
        _parser.MoveNext();
        if (_parser.Current is DocumentStart second)
            _problems.Add("yaml-documents", "", "A second document begins here.", "Keep one document in the file.", (int)second.Start.Line);
        return root;
    }

    // Reads the node at the current event and leaves the parser at the event after it.
    private YamlNode ReadNode(int depth)
    {
        var start = _parser.Current ?? throw new InvalidOperationException("the text ends within a value");
        var line = (int)start.Start.Line;
        if (depth > MaxDepth)
            throw new YamlException(start.Start, start.End, $"Values are nested more than {MaxDepth} deep");
        if (++_nodes > MaxNodes)
            throw new YamlException(start.Start, start.End, $"There are more than {MaxNodes} values");
        var before = _nodes;
        var anchor = start is NodeEvent { Anchor.IsEmpty: false } marked ? marked.Anchor.Value : null;
        YamlNode read = start switch
        {
            Scalar scalar => ReadText(scalar, line),
            SequenceStart => ReadList(line, depth),
            MappingStart => ReadMap(line, depth),
            AnchorAlias alias => ReadAlias(alias),
            _ => throw new YamlException(start.Start, start.End, "A value is missing"),
        };
        if (anchor is not null)
            _anchors[anchor] = (read, _nodes - before + 1);
        return read;
    }

    private YamlText ReadText(Scalar scalar, int line)
    {
        _parser.MoveNext();
        return new(scalar.Value, scalar.Style == ScalarStyle.Plain, line);
    }

    private YamlNode ReadAlias(AnchorAlias alias)
    {
        _parser.MoveNext();
        if (!_anchors.TryGetValue(alias.Value.Value, out var named))
            throw new YamlException(alias.Start, alias.End, $"'*{alias.Value.Value}' names no value above it");
        _nodes += named.Size;
        return named.Node;
    }

    private YamlList ReadList(int line, int depth)
    {
        var items = new List<YamlNode>();
        _parser.MoveNext();
        while (_parser.Current is not SequenceEnd)
            items.Add(ReadNode(depth + 1));
        _parser.MoveNext();
        return new(items, line);
    }

    private YamlMap ReadMap(int line, int depth)
    {
        var entries = new Dictionary<string, YamlEntry>(StringComparer.Ordinal);
        var merged = new List<YamlNode>();
        _parser.MoveNext();
        while (_parser.Current is not MappingEnd)
        {
            var at = _parser.Current!;
            if (ReadNode(depth + 1) is not YamlText key)
                throw new YamlException(at.Start, at.End, "A key is no text");
            var value = ReadNode(depth + 1);
            if (key is { Text: "<<", IsPlain: true })
                merged.Add(value);
            else if (!entries.TryAdd(key.Text, new(key.Text, value, key.Line)))
                _problems.Add("duplicate-key", key.Text, $"'{key.Text}' stands here a second time; the first is in line {entries[key.Text].Line}.", "Keep one of them.", key.Line);
        }
        _parser.MoveNext();
        foreach (var entry in merged.SelectMany(node => node is YamlList list ? list.Items : [node]).OfType<YamlMap>().SelectMany(map => map.Entries))
            entries.TryAdd(entry.Key, entry);
        return new([.. entries.Values], line);
    }
}
