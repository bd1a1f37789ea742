using System.Text;

namespace Groundcrew.Edge;

/// <summary>
/// Which request headers a client may not send, because the inside believes them: <c>X-User-*</c>, and what a route
/// adds. Case does not matter, and <c>_</c> counts as <c>-</c>: many servers hand both to an application as one name.
/// Immutable; asking allocates nothing.
/// </summary>
internal sealed class HeaderRules
{
    private const string Always = "X-User-*";

    /// <summary>Names in lower case, by whether any rest may follow.</summary>
    private readonly (byte[] Name, bool IsPrefix)[] _rules;

    /// <summary>Makes the rules of a route; a trailing <c>*</c> stands for any rest.</summary>
    public HeaderRules(IReadOnlyList<string> strip) =>
        _rules = [.. strip.Prepend(Always).Select(r => (Array.ConvertAll(Encoding.ASCII.GetBytes(r.TrimEnd('*')), Fold), r.EndsWith('*')))];

    /// <summary>Whether a header of this name is removed.</summary>
    public bool Strips(ReadOnlySpan<char> name)
    {
        foreach (var (rule, isPrefix) in _rules)
        {
            if ((name.Length == rule.Length || (isPrefix && name.Length > rule.Length)) && IsStart(name, rule))
                return true;
        }
        return false;
    }

    /// <summary>The same for a name as it came, in bytes.</summary>
    public bool Strips(ReadOnlySpan<byte> name)
    {
        foreach (var (rule, isPrefix) in _rules)
        {
            if ((name.Length == rule.Length || (isPrefix && name.Length > rule.Length)) && IsStart(name, rule))
                return true;
        }
        return false;
    }

    private static bool IsStart(ReadOnlySpan<char> name, byte[] rule)
    {
        for (var i = 0; i < rule.Length; i++)
            if (name[i] > 127 || Fold((byte)name[i]) != rule[i])
                return false;
        return true;
    }

    private static bool IsStart(ReadOnlySpan<byte> name, byte[] rule)
    {
        for (var i = 0; i < rule.Length; i++)
            if (Fold(name[i]) != rule[i])
                return false;
        return true;
    }

    private static byte Fold(byte letter) => letter switch
    {
        >= (byte)'A' and <= (byte)'Z' => (byte)(letter | 0x20),
        (byte)'_' => (byte)'-',
        _ => letter,
    };
}
