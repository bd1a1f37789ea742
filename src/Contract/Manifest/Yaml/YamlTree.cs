using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Groundcrew.Contract.Manifest;

/// <summary>
/// Makes a tree of the small part of YAML that a manifest may use: maps with text as keys, lists, and single values.
/// What could make a small file large or a value surprising (anchors, aliases, tags, more documents) is refused.
/// One object reads one text.
/// </summary>
internal sealed class YamlTree
{
    /// <summary>How deep values may be nested; the manifest itself needs six.</summary>
    private const int MaxDepth = 16;

    private readonly Scanner _scanner;
    private readonly Parser _parser;
    private readonly Judgement _judgement;
    private bool _isTooDeep;

    private YamlTree(string yaml, Judgement judgement)
    {
        _scanner = new Scanner(new StringReader(yaml));
        _parser = new Parser(_scanner);
        _judgement = judgement;
    }

    /// <summary>The tree; null when the text is empty, no YAML, or nested too deep, which is then among the problems.</summary>
    public static Node? Read(string yaml, string fileName, Judgement judgement)
    {
        try
        {
            return new YamlTree(yaml, judgement).ReadDocument(fileName);
        }
        catch (YamlException refusal)
        {
            SyntaxProblems.Refuse(yaml, refusal, judgement);
            return null;
        }
    }

    private Node? ReadDocument(string fileName)
    {
        Advance();
        Advance();
        if (_parser.Current is not DocumentStart)
            return Empty(fileName);
        Advance();
        var root = ReadNode("", 1);
        if (_isTooDeep)
            return null;
        Advance();
        if (_parser.Current is DocumentStart second)
            _judgement.Refuse(ProblemKinds.ManyDocuments, "", $"A second document begins in {fileName}.", line: LineOf(second));
        return root is ScalarNode { IsNothing: true } ? Empty(fileName) : root;
    }

    private Node? Empty(string fileName)
    {
        _judgement.Refuse(ProblemKinds.EmptyManifest, "", $"{fileName} says nothing.", line: 1);
        return null;
    }

    // Reads the node at the current event and leaves the parser at the event after it.
    private Node ReadNode(string path, int depth)
    {
        var start = _parser.Current ?? throw new InvalidOperationException("The parser ended within a document.");
        if (start is NodeEvent node)
            RefuseMarks(node, path);
        if (depth > MaxDepth)
            return TooDeep(path, start);
        switch (start)
        {
            case Scalar scalar:
                Advance();
                return new ScalarNode(scalar.Value, scalar.Style == ScalarStyle.Plain, LineOf(scalar));
            case SequenceStart:
                return ReadList(path, depth, LineOf(start));
            case MappingStart:
                return ReadMap(path, depth, LineOf(start));
            case AnchorAlias alias:
                Advance();
                _judgement.Refuse(ProblemKinds.YamlAlias, path, $"'*{Words.Show(alias.Value.Value)}' repeats a value by its anchor.", line: LineOf(alias));
                return new RefusedNode(LineOf(alias));
            default:
                // The parser lets some maps end after a key.
                throw new YamlException(start.Start, start.End, "A value is missing");
        }
    }

    private ListNode ReadList(string path, int depth, int line)
    {
        var items = new List<Node>();
        Advance();
        while (!_isTooDeep && _parser.Current is not SequenceEnd)
            items.Add(ReadNode($"{path}[{items.Count}]", depth + 1));
        Advance();
        return new ListNode(items, line);
    }

    private MapNode ReadMap(string path, int depth, int line)
    {
        var entries = new Dictionary<string, MapEntry>(StringComparer.Ordinal);
        Advance();
        while (!_isTooDeep && _parser.Current is not MappingEnd)
            ReadEntry(path, depth, entries);
        Advance();
        return new MapNode([.. entries.Values], line);
    }

    private void ReadEntry(string path, int depth, Dictionary<string, MapEntry> entries)
    {
        var keyNode = ReadNode(path, depth + 1);
        if (_isTooDeep)
            return;
        var key = keyNode as ScalarNode;
        if (key is null && keyNode is not RefusedNode)
            _judgement.Refuse(ProblemKinds.KeyNotText, path, $"A key is {keyNode.Says}.", line: keyNode.Line);
        var keyPath = key is null ? path : Judgement.Join(path, key.Text);
        var value = ReadNode(keyPath, depth + 1);
        if (key is null || entries.TryAdd(key.Text, new MapEntry(key.Text, value, key.Line)))
            return;
        _judgement.Refuse(ProblemKinds.DuplicateKey, keyPath,
            $"'{Words.Show(key.Text)}' stands here a second time; the first is in line {entries[key.Text].Line}.", line: key.Line);
    }

    private void RefuseMarks(NodeEvent node, string path)
    {
        if (!node.Anchor.IsEmpty)
            _judgement.Refuse(ProblemKinds.YamlAnchor, path, $"'&{Words.Show(node.Anchor.Value)}' marks a value to be repeated.", line: LineOf(node));
        if (!node.Tag.IsEmpty)
            _judgement.Refuse(ProblemKinds.YamlTag, path, $"A value carries the tag '{Words.Show(node.Tag.ToString())}'.", line: LineOf(node));
    }

    private RefusedNode TooDeep(string path, ParsingEvent at)
    {
        _isTooDeep = true;
        _judgement.Refuse(ProblemKinds.TooDeep, path, $"Values are nested more than {MaxDepth} deep.", line: LineOf(at));
        return new RefusedNode(LineOf(at));
    }

    private void Advance()
    {
        try
        {
            _parser.MoveNext();
        }
        catch (InvalidOperationException surprise)
        {
            // The scanner's word for a text that begins with a mark which may begin none, such as the '-' in [-]: a
            // mistake of the author, not of the program.
            var at = _scanner.CurrentPosition;
            throw new YamlException(at, at, "Found a mark where a value was expected", surprise);
        }
    }

    private static int LineOf(ParsingEvent at) => (int)at.Start.Line;
}
