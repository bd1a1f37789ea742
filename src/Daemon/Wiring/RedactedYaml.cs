using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Groundcrew.Daemon.Wiring;

/// <summary>A configuration as it may be shown: the values of keys that hold secrets, and passwords in addresses, are <c>&lt;secret&gt;</c>. Pure.</summary>
internal static partial class RedactedYaml
{
    private const string Hidden = "<secret>";

    public static string Of(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        foreach (var document in stream.Documents)
            Redact(document.RootNode);
        using var text = new StringWriter();
        stream.Save(text, assignAnchors: false);
        return text.ToString();
    }

    private static void Redact(YamlNode node)
    {
        if (node is YamlSequenceNode list)
            foreach (var item in list)
                Redact(item);
        if (node is YamlScalarNode { Value: { } value } scalar && UserInfo().IsMatch(value))
            scalar.Value = UserInfo().Replace(value, $"${{scheme}}{Hidden}@");
        if (node is not YamlMappingNode map)
            return;
        foreach (var (key, held) in map)
            if (SecretKey().IsMatch(((key as YamlScalarNode)?.Value ?? "").ToLowerInvariant()))
                Hide(held);
            else
                Redact(held);
    }

    private static void Hide(YamlNode node)
    {
        if (node is YamlScalarNode scalar)
            scalar.Value = Hidden;
        foreach (var inner in node.AllNodes.OfType<YamlScalarNode>())
            if (!ReferenceEquals(inner, node))
                inner.Value = Hidden;
    }

    [GeneratedRegex("^(password|credentials|bearer_token|.*secret.*|.*_key|.*token|headers|http_headers|cert|key)$")]
    private static partial Regex SecretKey();

    [GeneratedRegex("^(?<scheme>[a-z]+://)[^/@]+@", RegexOptions.ExplicitCapture)]
    private static partial Regex UserInfo();
}
