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
    private readonly Ready[] _rules;

    /// <summary>Throws <see cref="FormatException"/> when a regular expression of a rule is none; judged configurations have none such.</summary>
    public Relabelling(IReadOnlyList<RelabelRule> rules) => _rules = [.. rules.Select(rule => new Ready(rule))];

    public bool IsEmpty => _rules.Length == 0;

    /// <summary>Changes the labels; false when they are dropped.</summary>
    public bool Apply(LabelDraft labels)
    {
        foreach (var rule in _rules)
            if (!Apply(rule, labels))
                return false;
        return true;
    }

    private static bool Apply(Ready ready, LabelDraft labels)
    {
        var rule = ready.Rule;
        switch (rule.Action)
        {
            case RelabelAction.Keep:
                return ready.Pattern.IsMatch(Source(ready, labels));
            case RelabelAction.Drop:
                return !ready.Pattern.IsMatch(Source(ready, labels));
            case RelabelAction.KeepEqual:
                return labels.Get(ready.Target).SequenceEqual(Source(ready, labels));
            case RelabelAction.DropEqual:
                return !labels.Get(ready.Target).SequenceEqual(Source(ready, labels));
            case RelabelAction.Replace:
                Replace(ready, labels);
                return true;
            case RelabelAction.HashMod:
                labels.Set(rule.TargetLabel, HashMod(Source(ready, labels), rule.Modulus));
                return true;
            case RelabelAction.Lowercase:
                labels.Set(rule.TargetLabel, Encoding.UTF8.GetString(Source(ready, labels)).ToLowerInvariant());
                return true;
            case RelabelAction.Uppercase:
                labels.Set(rule.TargetLabel, Encoding.UTF8.GetString(Source(ready, labels)).ToUpperInvariant());
                return true;
            case RelabelAction.LabelMap:
                Map(ready, labels);
                return true;
            default:
                for (var i = labels.Count - 1; i >= 0; i--)
                    if (ready.Pattern.IsMatch(labels.NameAt(i)) == (rule.Action == RelabelAction.LabelDrop))
                        labels.RemoveAt(i);
                return true;
        }
    }

    private static void Replace(Ready ready, LabelDraft labels)
    {
        var source = Source(ready, labels);
        if (!ready.NamesGroups)
        {
            if (ready.Pattern.IsMatch(source))
                labels.Set(ready.Target, ready.Replacement);
            return;
        }
        var text = Encoding.UTF8.GetString(source);
        if (ready.Pattern.TryExpand(text, ready.Rule.TargetLabel, out var target) && target.Length > 0 && ready.Pattern.TryExpand(text, ready.Rule.Replacement, out var value))
            labels.Set(target, value);
    }

    private static void Map(Ready ready, LabelDraft labels)
    {
        // What is copied is not looked at again.
        var copies = new List<(string Name, byte[] Value)>();
        for (var i = 0; i < labels.Count; i++)
            if (ready.Pattern.TryExpand(Encoding.UTF8.GetString(labels.NameAt(i)), ready.Rule.Replacement, out var name) && name.Length > 0)
                copies.Add((name, labels.ValueAt(i).ToArray()));
        foreach (var (name, value) in copies)
            labels.Set(Encoding.UTF8.GetBytes(name), value);
    }

    private static ReadOnlySpan<byte> Source(Ready ready, LabelDraft labels)
    {
        if (ready.Sources.Length < 2)
            return ready.Sources.Length == 0 ? default : labels.Get(ready.Sources[0]);
        var source = new List<byte>(128);
        foreach (var (index, name) in ready.Sources.Index())
        {
            if (index > 0)
                source.AddRange(ready.Separator);
            source.AddRange(labels.Get(name));
        }
        return System.Runtime.InteropServices.CollectionsMarshal.AsSpan(source);
    }

    // The last eight bytes of the MD5 of the source, which is what other Prometheus servers that share targets calculate.
    private static string HashMod(ReadOnlySpan<byte> source, ulong modulus)
    {
        Span<byte> hash = stackalloc byte[16];
#pragma warning disable CA5351 // It spreads targets and protects nothing.
        MD5.HashData(source, hash);
#pragma warning restore CA5351
        return (BinaryPrimitives.ReadUInt64BigEndian(hash[8..]) % modulus).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>A rule with what is made of it once.</summary>
    private sealed class Ready(RelabelRule rule)
    {
        public RelabelRule Rule => rule;

        public RegexpPattern Pattern { get; } = RegexpPattern.Anchored(rule.Regex);

        public byte[][] Sources { get; } = [.. rule.SourceLabels.Select(Encoding.UTF8.GetBytes)];

        public byte[] Separator { get; } = Encoding.UTF8.GetBytes(rule.Separator);

        public byte[] Target { get; } = Encoding.UTF8.GetBytes(rule.TargetLabel);

        public byte[] Replacement { get; } = Encoding.UTF8.GetBytes(rule.Replacement);

        public bool NamesGroups { get; } = rule.TargetLabel.Contains('$') || rule.Replacement.Contains('$');
    }
}
