using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>
/// Relabelling rules, ready to be applied in their order. Immutable and thread-safe.
/// </summary>
internal sealed class Relabelling
{
    private readonly (RelabelRule Rule, RelabelPattern Pattern)[] _rules;

    /// <summary>Throws <see cref="FormatException"/> when a regular expression of a rule is none; judged configurations have none such.</summary>
    public Relabelling(IReadOnlyList<RelabelRule> rules) => _rules = [.. rules.Select(rule => (rule, new RelabelPattern(rule.Regex)))];

    public bool IsEmpty => _rules.Length == 0;

    /// <summary>Changes the labels; false when they are dropped.</summary>
    public bool Apply(LabelDraft labels)
    {
        foreach (var (rule, pattern) in _rules)
            if (!Apply(rule, pattern, labels))
                return false;
        return true;
    }

    private static bool Apply(RelabelRule rule, RelabelPattern pattern, LabelDraft labels)
    {
        switch (rule.Action)
        {
            case RelabelAction.Keep:
                return pattern.IsMatch(Source(rule, labels));
            case RelabelAction.Drop:
                return !pattern.IsMatch(Source(rule, labels));
            case RelabelAction.KeepEqual:
                return labels.Get(rule.TargetLabel) == Source(rule, labels);
            case RelabelAction.DropEqual:
                return labels.Get(rule.TargetLabel) != Source(rule, labels);
            case RelabelAction.Replace:
                if (pattern.Expand(Source(rule, labels), rule.TargetLabel, rule.Replacement) is var (target, value) && target.Length > 0)
                    labels.Set(target, value);
                return true;
            case RelabelAction.HashMod:
                labels.Set(rule.TargetLabel, HashMod(Source(rule, labels), rule.Modulus));
                return true;
            case RelabelAction.Lowercase:
                labels.Set(rule.TargetLabel, Source(rule, labels).ToLowerInvariant());
                return true;
            case RelabelAction.Uppercase:
                labels.Set(rule.TargetLabel, Source(rule, labels).ToUpperInvariant());
                return true;
            case RelabelAction.LabelMap:
                Map(rule, pattern, labels);
                return true;
            default:
                for (var i = labels.Count - 1; i >= 0; i--)
                    if (pattern.IsMatch(Encoding.UTF8.GetString(labels.NameAt(i))) == (rule.Action == RelabelAction.LabelDrop))
                        labels.RemoveAt(i);
                return true;
        }
    }

    private static void Map(RelabelRule rule, RelabelPattern pattern, LabelDraft labels)
    {
        // What is copied is not looked at again.
        var copies = new List<(string Name, byte[] Value)>();
        for (var i = 0; i < labels.Count; i++)
            if (pattern.Expand(Encoding.UTF8.GetString(labels.NameAt(i)), rule.Replacement, "") is var (name, _) && name.Length > 0)
                copies.Add((name, labels.ValueAt(i).ToArray()));
        foreach (var (name, value) in copies)
            labels.Set(Encoding.UTF8.GetBytes(name), value);
    }

    private static string Source(RelabelRule rule, LabelDraft labels) => rule.SourceLabels.Count switch
    {
        0 => "",
        1 => labels.Get(rule.SourceLabels[0]),
        _ => string.Join(rule.Separator, rule.SourceLabels.Select(labels.Get)),
    };

    // The last eight bytes of the MD5 of the source, which is what other Prometheus servers that share targets calculate.
    private static string HashMod(string source, ulong modulus)
    {
        Span<byte> hash = stackalloc byte[16];
#pragma warning disable CA5351 // It spreads targets and protects nothing.
        MD5.HashData(Encoding.UTF8.GetBytes(source), hash);
#pragma warning restore CA5351
        return (BinaryPrimitives.ReadUInt64BigEndian(hash[8..]) % modulus).ToString(CultureInfo.InvariantCulture);
    }
}
