using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// The platform that this node belongs to, kept from the first contact on (<c>platform.json</c>): a node that is
/// pointed at another control plane by mistake must not obey it. Thread-safe.
/// </summary>
internal sealed class PlatformMemory(string folder, DurableFiles files)
{
    private readonly Lock _gate = new();
    private Guid? _known;

    /// <summary>The file.</summary>
    public string File { get; } = Path.Combine(folder, "platform.json");

    /// <summary>The platform, once one was met.</summary>
    /// <exception cref="InvalidDataException">The file is there but cannot be read.</exception>
    public Guid? Known
    {
        get
        {
            lock (_gate)
                return _known ??= Read();
        }
    }

    /// <summary>Whether <paramref name="platform"/> is ours; the first one ever met becomes ours, durably.</summary>
    public bool Accepts(Guid platform)
    {
        lock (_gate)
        {
            _known ??= Read();
            if (_known is { } known)
                return known == platform;
            files.Replace(File, JsonSerializer.Serialize(new Kept(1, platform), Json.Options));
            _known = platform;
            return true;
        }
    }

    private Guid? Read()
    {
        if (!System.IO.File.Exists(File))
            return null;
        try
        {
            var kept = JsonSerializer.Deserialize<Kept>(System.IO.File.ReadAllText(File), Json.Options);
            return kept is { Version: 1 } ? kept.Platform : throw new InvalidDataException(Unreadable);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException(Unreadable, e);
        }
    }

    private string Unreadable => $"'{File}' is not a platform file of version 1; remove it to let this node join the control plane it is pointed at.";

    private sealed record Kept(int Version, Guid Platform);
}
