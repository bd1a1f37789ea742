namespace Groundcrew.Fleet.OnNode;

/// <summary>All of /proc/meminfo, as node_exporter's collector meminfo names it.</summary>
internal sealed class Memory : IMeasured
{
    public string Name => "meminfo";

    public bool Write(KernelFiles files, MetricText text)
    {
        var info = files.Read("proc/meminfo");
        if (info.IsEmpty)
            return false;
        Span<byte> name = stackalloc byte[128];
        while (KernelText.TakeLine(ref info, out var line))
        {
            var key = KernelText.TakeWord(ref line).TrimEnd((byte)':');
            var value = KernelText.TakeNumber(ref line);
            var isKibibytes = KernelText.TakeWord(ref line).SequenceEqual("kB"u8);
            if (key.IsEmpty || key.Length > 64)
                continue;
            text.Single(NameOf(key, isKibibytes, name), "gauge"u8, "Memory information field of /proc/meminfo."u8, isKibibytes ? value * 1024 : value);
        }
        return true;
    }

    /// <summary><c>Active(anon)</c> in kB becomes <c>node_memory_Active_anon_bytes</c>.</summary>
    private static ReadOnlySpan<byte> NameOf(ReadOnlySpan<byte> key, bool isBytes, Span<byte> name)
    {
        "node_memory_"u8.CopyTo(name);
        var length = "node_memory_"u8.Length;
        foreach (var letter in key)
            if (letter != ')')
                name[length++] = letter == '(' ? (byte)'_' : letter;
        if (!isBytes)
            return name[..length];
        "_bytes"u8.CopyTo(name[length..]);
        return name[..(length + "_bytes"u8.Length)];
    }
}
