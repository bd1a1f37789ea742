namespace Groundcrew.PromQL;

/// <summary>How far a number or a duration reaches; what stays behind on failure is what Prometheus shows in its message.</summary>
internal static class NumberScan
{
    /// <summary>Takes a number that no letter or digit follows. Where it fails the position stays at the offending character.</summary>
    public static bool TryNumber(string text, ref int at)
    {
        var digits = "0123456789";
        if (Accept(text, ref at, "0") && Accept(text, ref at, "xX"))
        {
            Accept(text, ref at, "_");
            digits = "0123456789abcdefABCDEF";
        }
        Accept(text, ref at, ".");
        Accept(text, ref at, digits);
        return TryRest(text, ref at, digits) && !(at < text.Length && IsAlphaNumeric(text[at]));
    }

    private static bool TryRest(string text, ref int at, string digits)
    {
        var (dots, exponents) = (0, 0);
        while (at < text.Length && (digits.Contains(text[at]) || text[at] is '.' or '_' or 'e' or 'E'))
        {
            if ((text[at] == '.' && dots > 0) || (text[at] is 'e' or 'E' && exponents > 0))
            {
                at++;
                return false;
            }
            if (Accept(text, ref at, "."))
            {
                dots++;
                if (Accept(text, ref at, "_.") || digits.Length > 10)
                    return false;
            }
            else if (Accept(text, ref at, "eE"))
            {
                exponents++;
                Accept(text, ref at, "+-");
                if (Accept(text, ref at, "._eE") || at == text.Length)
                    return false;
            }
            else if (Accept(text, ref at, "_"))
            {
                if (Accept(text, ref at, "._eE") || at == text.Length)
                    return false;
            }
            else
            {
                while (Accept(text, ref at, digits))
                {
                }
            }
        }
        return true;
    }

    /// <summary>Takes the unit of the number before and what follows it, up to the end of a duration.</summary>
    public static bool TryRestOfDuration(string text, ref int at)
    {
        // A year comes first or not at all, hence later units leave it out.
        var units = "smhdwy";
        do
        {
            if (!Accept(text, ref at, units))
                return false;
            Accept(text, ref at, "s");
            var before = at;
            while (Accept(text, ref at, "0123456789"))
            {
            }
            if (at == before)
                break;
            units = "smhdw";
        }
        while (true);
        if (at == text.Length || !IsAlphaNumeric(text[at]))
            return true;
        at++;
        return false;
    }

    private static bool Accept(string text, ref int at, string any)
    {
        if (at == text.Length || !any.Contains(text[at]))
            return false;
        at++;
        return true;
    }

    private static bool IsAlphaNumeric(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';
}
