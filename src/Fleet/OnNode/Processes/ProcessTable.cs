using System.Globalization;
using System.Runtime.InteropServices;

namespace Groundcrew.Fleet.OnNode;

/// <summary>One process of the machine as proc(5) shows it.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ProcessEntry(int Pid, int Group, int Session);

/// <summary>The machine's processes, read from /proc. Stateless; zombies are left out, for they run no more.</summary>
internal static class ProcessTable
{
    /// <summary>The environment variable that marks every process of an instance.</summary>
    public const string Marker = "GROUNDCREW_INSTANCE";

    /// <summary>Everything that runs now.</summary>
    public static IEnumerable<ProcessEntry> All()
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && Read(pid) is { } entry)
                yield return entry;
    }

    /// <summary>The instance whose marker a process carries; null for none, or when we may not look.</summary>
    public static Guid? InstanceOf(int pid)
    {
        var prefix = "GROUNDCREW_INSTANCE="u8;
        if (Bytes($"/proc/{pid}/environ") is not { } environment)
            return null;
        ReadOnlySpan<byte> rest = environment;
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf((byte)0);
            var variable = end < 0 ? rest : rest[..end];
            if (variable.StartsWith(prefix) && Guid.TryParse(variable[prefix.Length..], CultureInfo.InvariantCulture, out var id))
                return id;
            rest = end < 0 ? default : rest[(end + 1)..];
        }
        return null;
    }

    private static ProcessEntry? Read(int pid)
    {
        if (Bytes($"/proc/{pid}/stat") is not { } bytes)
            return null;
        var stat = System.Text.Encoding.UTF8.GetString(bytes);
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[0] is "Z" or "X" ? null : new ProcessEntry(pid, Number(fields[2]), Number(fields[3]));
    }

    private static int Number(string field) => int.Parse(field, CultureInfo.InvariantCulture);

    private static byte[]? Bytes(string file)
    {
        try
        {
            return File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // It ended meanwhile, or belongs to someone else.
        }
    }
}
