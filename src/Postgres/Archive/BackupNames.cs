using System.Globalization;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>The names of backups. Times in names are in UTC, so that no hour comes twice. Pure.</summary>
internal static class BackupNames
{
    /// <summary>The names of a system's dumps when it says nothing else.</summary>
    public const string DefaultTemplate = "{database}_{date}_{time}";

    private const int LongestName = 100;
    private const string Date = "yyyyMMdd";
    private const string Time = "HHmmss";

    /// <summary>A new name of a base backup, such as <c>base-20261122-020000</c>.</summary>
    /// <param name="at">When it begins.</param>
    /// <param name="isTaken">Whether a name is somebody's already.</param>
    public static string Base(DateTimeOffset at, Func<string, bool> isTaken) => Free($"base-{Text(at, Date)}-{Text(at, Time)}", isTaken);

    /// <summary>A new name of a dump from a template that was judged to be good.</summary>
    /// <param name="template">The template.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="database">The database; characters that no name may have become <c>_</c>.</param>
    /// <param name="at">When it begins.</param>
    /// <param name="isTaken">Whether a name is somebody's already.</param>
    public static string Dump(string template, string cluster, string database, DateTimeOffset at, Func<string, bool> isTaken)
    {
        var name = Plain(template)
            .Replace("{cluster}", cluster, StringComparison.Ordinal)
            .Replace("{database}", string.Concat(database.Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' ? c : '_')), StringComparison.Ordinal)
            .Replace("{date}", Text(at, Date), StringComparison.Ordinal)
            .Replace("{time}", Text(at, Time), StringComparison.Ordinal);
        return Free(name, isTaken);
    }

    /// <summary>
    /// Judges the template of dumps' names (T-49): <c>{date}</c> and <c>{time}</c>, or the guides' <c>YYYYMMDD</c> and
    /// <c>HHMMSS</c>, are in it, so that every name is another; <c>{database}</c> and <c>{cluster}</c> may be.
    /// </summary>
    /// <param name="path">Where it stands in the input.</param>
    /// <param name="template">The template.</param>
    /// <param name="problems">Gets what is wrong.</param>
    public static void Judge(string path, string template, ProblemList problems)
    {
        var plain = Plain(template);
        if (!plain.Contains("{date}", StringComparison.Ordinal) || !plain.Contains("{time}", StringComparison.Ordinal))
            problems.Add("bad-template", path, $"'{template}' has no date or no time, so that two dumps would have one name.", "Write it such as zmos_backup_{date}_{time}.");
        var rest = plain;
        foreach (var token in (ReadOnlySpan<string>)["{date}", "{time}", "{database}", "{cluster}"])
            rest = rest.Replace(token, "0", StringComparison.Ordinal);
        if (rest.FirstOrDefault(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')) is var other && other != '\0')
            problems.Add("bad-template", path, $"'{other}' may not stand in the name of a dump.", "Use letters, digits, '-', '_', '.', {date}, {time}, {database} and {cluster}.");
        else if (rest.Length > 0 && !char.IsAsciiLetterOrDigit(rest[0]))
            problems.Add("bad-template", path, $"'{template}' begins with '{rest[0]}'.", "Begin it with a letter or digit.");
        if (plain.StartsWith("base-", StringComparison.Ordinal))
            problems.Add("bad-template", path, $"'{template}' begins as the names of base backups do.", "Begin it with another word than 'base-'.");
        if (template.Length > LongestName)
            problems.Add("bad-template", path, $"The template has {template.Length} characters; {LongestName} are the most.", "Make it shorter.");
    }

    private static string Plain(string template) =>
        template.Replace("YYYYMMDD", "{date}", StringComparison.Ordinal).Replace("HHMMSS", "{time}", StringComparison.Ordinal);

    private static string Text(DateTimeOffset at, string format) => at.UtcDateTime.ToString(format, CultureInfo.InvariantCulture);

    private static string Free(string name, Func<string, bool> isTaken)
    {
        var free = name;
        for (var number = 2; isTaken(free); number++)
            free = $"{name}-{number}";
        return free;
    }
}
