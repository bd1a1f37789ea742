using System.Text;
using System.Text.RegularExpressions;

namespace Groundcrew.Shape.Tests;

/// <summary>What can be seen in the text of C# code without compiling it. Places are indexes into the given text.</summary>
public static partial class CodeText
{
    /// <summary>The code with comments, and if asked the contents of strings, turned to spaces; lines stay where they are.</summary>
    public static string Blank(string code, bool strings = false)
    {
        var text = new StringBuilder(code);
        foreach (Match match in CommentOrString().Matches(code))
        {
            var isComment = match.Value.StartsWith("//", StringComparison.Ordinal) || match.Value.StartsWith("/*", StringComparison.Ordinal);
            if (!isComment && !strings)
                continue;
            for (var i = match.Index; i < match.Index + match.Length; i++)
                if (text[i] != '\n')
                    text[i] = isComment ? ' ' : '"';
        }
        return text.ToString();
    }

    /// <summary>Catch blocks that say nothing: empty without even a comment, or taking everything and doing nothing with it.</summary>
    public static IEnumerable<int> SilentCatches(string code)
    {
        var blank = Blank(code, strings: true);
        foreach (Match match in Catch().Matches(blank))
        {
            var open = match.Index + match.Length - 1;
            var close = blank.IndexOf('}', open);
            if (close < 0 || !string.IsNullOrWhiteSpace(blank[(open + 1)..close]))
                continue;
            var takesAll = !match.Groups["when"].Success && match.Groups["type"].Value is "" or "Exception" or "System.Exception";
            if (takesAll || string.IsNullOrWhiteSpace(code[(open + 1)..close]))
                yield return match.Index;
        }
    }

    /// <summary>Calls that write a file past the one durable way.</summary>
    public static IEnumerable<int> FileWrites(string code)
    {
        var blank = Blank(code, strings: true);
        foreach (Match match in FileWrite().Matches(blank))
        {
            var end = blank.IndexOf(';', match.Index);
            var call = blank[match.Index..(end < 0 ? blank.Length : end)];
            var reads = OnlyReads().IsMatch(call) && !call.Contains("FileAccess.Write", StringComparison.Ordinal) && !call.Contains("FileAccess.ReadWrite", StringComparison.Ordinal);
            if (!reads)
                yield return match.Index;
        }
    }

    /// <summary>Notes of unfinished work that name no issue.</summary>
    public static IEnumerable<int> UnnumberedNotes(string text) =>
        from Match match in Note().Matches(text)
        select match.Index;

    /// <summary>Whether code names a namespace of ours, in full or from the root namespace.</summary>
    public static bool Names(string code, string room) =>
        Regex.IsMatch(Blank(code, strings: true), $@"\bGroundcrew\.{room}\b|(?<![\w.]){room}\.[A-Z]", RegexOptions.None, TimeSpan.FromSeconds(10));

    [GeneratedRegex("""(//[^\n]*)|(/\*.*?\*/)|(\$*"{3,}.*?"{3,})|(\$?@\$?"(""|[^"])*")|(\$?"(\\.|[^"\\\n])*")|('(\\.|[^'\\\n])+')""", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex CommentOrString();

    [GeneratedRegex(@"\bcatch\b\s*(\(\s*(?<type>[\w.]+)[^)]*\))?\s*(?<when>when\s*\([^{]*\))?\s*\{", RegexOptions.ExplicitCapture)]
    private static partial Regex Catch();

    [GeneratedRegex(@"\bFile\.(?:Write\w+|Append\w+|Create|CreateText|OpenWrite|Open|OpenHandle)\s*\(|\bnew\s+FileStream\s*\(|\bnew\s+StreamWriter\s*\(\s*(?!\w*[sS]tream\b)|\bnew\s+FileInfo\([^)]*\)\.(?:Create|Open|Append)\w*\(", RegexOptions.ExplicitCapture)]
    private static partial Regex FileWrite();

    [GeneratedRegex(@"FileAccess\.Read\b|File\.OpenHandle\s*\([^,)]*\)")]
    private static partial Regex OnlyReads();

    [GeneratedRegex(@"\b(TO[D]O|FIX[M]E|HAC[K]|XX[X])\b(?![^\n]*#\d)", RegexOptions.ExplicitCapture)]
    private static partial Regex Note();
}
