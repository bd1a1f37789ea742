namespace Groundcrew.Contract.Manifest;

/// <summary>A piece of YAML with its place.</summary>
/// <param name="Line">From 1.</param>
internal abstract record Node(int Line)
{
    /// <summary>What it is, for a message.</summary>
    public abstract string Says { get; }
}

/// <summary>One value.</summary>
/// <param name="Text">As written; escapes of quoted text are resolved.</param>
/// <param name="IsPlain">Without quotes.</param>
/// <param name="Line">From 1.</param>
internal sealed record ScalarNode(string Text, bool IsPlain, int Line) : Node(Line)
{
    /// <summary>Whether nothing stands there: YAML's null (YAML 1.2, section 10.3.2).</summary>
    public bool IsNothing => IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";

    public override string Says => "a single value";
}

/// <summary>Values in order.</summary>
internal sealed record ListNode(IReadOnlyList<Node> Items, int Line) : Node(Line)
{
    public override string Says => "a list";
}

/// <summary>Values by key; each key once.</summary>
internal sealed record MapNode(IReadOnlyList<MapEntry> Entries, int Line) : Node(Line)
{
    public override string Says => "a map";
}

/// <summary>Something that was refused already: whoever meets it says nothing more.</summary>
internal sealed record RefusedNode(int Line) : Node(Line)
{
    public override string Says => "something refused";
}

/// <summary>One entry of a map.</summary>
internal sealed record MapEntry(string Key, Node Value, int Line);
