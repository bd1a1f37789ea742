using System.Text.Json.Nodes;

namespace Groundcrew.Contract.Manifest;

/// <summary>
/// What may stand after a key: how it is read and judged, written canonically, and described to people and editors.
/// Immutable and thread-safe.
/// </summary>
internal abstract class Form
{
    /// <summary>What it is, for messages and the reference page: <c>a duration from 1s to 1h</c>.</summary>
    public abstract string Says { get; }

    /// <summary>The value; null when it was refused, and the judgement then holds why.</summary>
    public abstract object? Read(Node node, string path, Judgement judgement);

    /// <summary>The canonical form of a value that <see cref="Read"/> gave.</summary>
    public abstract JsonNode Write(object value);

    /// <summary>Its JSON schema. Records put theirs into <paramref name="definitions"/> and are referred to.</summary>
    public abstract JsonObject Schema(JsonObject definitions);
}

/// <summary>A single value.</summary>
internal abstract class ScalarForm : Form
{
    public sealed override object? Read(Node node, string path, Judgement judgement) =>
        node is ScalarNode { IsNothing: false } scalar
            ? ReadText(scalar.Text, path, judgement)
            : judgement.RefuseType(path, node, Says);

    protected abstract object? ReadText(string text, string path, Judgement judgement);
}
