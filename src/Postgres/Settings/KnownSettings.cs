using System.Collections.Frozen;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Groundcrew.Postgres;

/// <summary>What PostgreSQL knows of one of its settings (<c>pg_settings</c>).</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type"><c>bool</c>, <c>integer</c>, <c>real</c>, <c>string</c> or <c>enum</c>.</param>
/// <param name="Unit">The unit of a bare number; null when it has none.</param>
/// <param name="Least">The least value, in that unit.</param>
/// <param name="Most">The greatest value.</param>
/// <param name="Context">When it may be changed: <c>postmaster</c> needs a restart.</param>
/// <param name="Words">The words that an <c>enum</c> takes.</param>
internal sealed record KnownSetting(string Name, string Type, string? Unit, double? Least, double? Most, string Context, IReadOnlyList<string> Words);

/// <summary>The settings of PostgreSQL 15, and how it reads their values. Immutable.</summary>
internal static class KnownSettings
{
    private static readonly string[] Yes = ["on", "true", "yes", "1"];
    private static readonly string[] No = ["off", "false", "no", "0"];

    /// <summary>In bytes and in microseconds, as guc.c has them; the case of letters counts.</summary>
    private static readonly FrozenDictionary<string, UnitOf> Units = new Dictionary<string, UnitOf>
    {
        ["B"] = new(IsTime: false, 1), ["kB"] = new(IsTime: false, 1024), ["8kB"] = new(IsTime: false, 8192), ["MB"] = new(IsTime: false, 1 << 20),
        ["GB"] = new(IsTime: false, 1L << 30), ["TB"] = new(IsTime: false, 1L << 40),
        ["us"] = new(IsTime: true, 1), ["ms"] = new(IsTime: true, 1000), ["s"] = new(IsTime: true, 1000_000), ["min"] = new(IsTime: true, 60_000_000),
        ["h"] = new(IsTime: true, 3_600_000_000), ["d"] = new(IsTime: true, 86_400_000_000),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>All of them by name, whose case does not count.</summary>
    public static FrozenDictionary<string, KnownSetting> All { get; } = Read().ToFrozenDictionary(s => s.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>What is wrong with a value; null when PostgreSQL takes it.</summary>
    public static string? Refusal(KnownSetting setting, string value) => setting.Type switch
    {
        "bool" => Yes.Concat(No).Contains(value, StringComparer.OrdinalIgnoreCase) ? null : "it is on or off",
        "enum" => IsWord(setting, value) ? null : $"it is one of {string.Join(", ", setting.Words)}",
        "integer" or "real" => NumberRefusal(setting, value),
        _ => null,
    };

    /// <summary>A value in the setting's own unit; null when it is no such number.</summary>
    public static double? Number(KnownSetting setting, string value)
    {
        var text = value.AsSpan().Trim();
        var digits = text.Length;
        while (digits > 0 && char.IsAsciiLetter(text[digits - 1]))
            digits--;
        if (!double.TryParse(text[..digits].TrimEnd(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number))
            return null;
        var unit = text[digits..].ToString();
        if (unit.Length > 0)
        {
            if (setting.Unit is null || !Units.TryGetValue(unit, out var given) || !Units.TryGetValue(setting.Unit, out var own) || given.IsTime != own.IsTime)
                return null;
            number = number * given.Size / own.Size;
        }
        return setting.Type == "integer" ? Math.Round(number, MidpointRounding.ToEven) : number;
    }

    /// <summary>The bytes that a value of a setting of memory means; null when it is none.</summary>
    public static double? Bytes(string name, string value) =>
        All.TryGetValue(name, out var setting) && setting.Unit is { } unit && Units.TryGetValue(unit, out var own) && !own.IsTime ? Number(setting, value) * own.Size : null;

    private static bool IsWord(KnownSetting setting, string value) =>
        setting.Words.Contains(value, StringComparer.OrdinalIgnoreCase)
        || (setting.Words.Contains("on", StringComparer.Ordinal) && Yes.Concat(No).Contains(value, StringComparer.OrdinalIgnoreCase));

    private static string? NumberRefusal(KnownSetting setting, string value)
    {
        if (Number(setting, value) is not { } number)
            return setting.Unit is null ? "it is a number without a unit" : $"it is a number with a unit, such as {(Units[setting.Unit].IsTime ? "us, ms, s, min, h or d" : "B, kB, MB, GB or TB")}";
        return number < setting.Least || number > setting.Most
            ? $"it lies between {setting.Least:0.######} and {setting.Most:0.######}{(setting.Unit is null ? "" : $" ({setting.Unit})")}"
            : null;
    }

    private static IEnumerable<KnownSetting> Read()
    {
        using var stream = typeof(KnownSettings).Assembly.GetManifestResourceStream("settings-15.txt") ?? throw new InvalidOperationException("The list of settings is not in the program.");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
            if (!line.StartsWith('#') && line.Split(' ', 7) is [var name, var type, var unit, var least, var most, var context, var words])
                yield return new(name, type, unit == "-" ? null : unit, Bound(least), Bound(most), context, words == "-" ? [] : words.Split(','));
    }

    private static double? Bound(string text) => text == "-" ? null : double.Parse(text, CultureInfo.InvariantCulture);

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct UnitOf(bool IsTime, long Size);
}
