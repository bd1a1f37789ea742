using System.Text;
using System.Text.RegularExpressions;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>An anchored expression and a template into which its groups are filled: <c>$1</c>, <c>${name}</c>, <c>$$</c>.</summary>
internal sealed class LabelReplacement(string expression, string template)
{
    private readonly Regex _regex = Make(expression);

    /// <summary>The filled template; null when the value does not match.</summary>
    public string? Find(string value) => _regex.Match(value) is { Success: true } match ? Fill(match) : null;

    private static Regex Make(string expression)
    {
        try
        {
            return new($"^(?s:{expression})\\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception problem) when (problem is ArgumentException or NotSupportedException)
        {
            throw new FormatException(problem.Message, problem);
        }
    }

    private string Fill(Match match)
    {
        var text = new StringBuilder();
        for (var at = 0; at < template.Length;)
        {
            var dollar = template.IndexOf('$', at);
            if (dollar < 0)
                dollar = template.Length;
            text.Append(template, at, dollar - at);
            at = dollar == template.Length ? dollar : FillOne(match, dollar + 1, text);
        }
        return text.ToString();
    }

    /// <summary>Fills in what stands behind a <c>$</c>; gives the place behind it.</summary>
    private int FillOne(Match match, int at, StringBuilder text)
    {
        if (at < template.Length && template[at] == '$')
        {
            text.Append('$');
            return at + 1;
        }
        var braced = at < template.Length && template[at] == '{';
        var begin = braced ? at + 1 : at;
        var end = begin;
        while (end < template.Length && (template[end] == '_' || char.IsLetterOrDigit(template[end])))
            end++;
        if (end == begin || (braced && (end == template.Length || template[end] != '}')))
        {
            text.Append('$');
            return at;
        }
        text.Append(match.Groups[template[begin..end]].Value);
        return braced ? end + 1 : end;
    }
}
