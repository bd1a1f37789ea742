using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// The folder <c>leaving</c> of an edge's state: one file for each process that was replaced and still finishes requests, so
/// that an edge that starts, and whoever stops them all, knows of it. Thread-safe.
/// </summary>
internal sealed class LeavingFiles(string stateFolder, DurableFiles files)
{
    private readonly string _folder = Path.Combine(stateFolder, "leaving");

    /// <summary>A process is leaving.</summary>
    /// <exception cref="IOException">The disk does not take it.</exception>
    public void Write(ProcessIdentity process) => files.Replace(PathOf(process), JsonSerializer.Serialize(process, Json.Options));

    /// <summary>It has left.</summary>
    public void Delete(ProcessIdentity process)
    {
        if (File.Exists(PathOf(process)))
            files.Delete(PathOf(process));
    }

    /// <summary>Those that run; the files of others are deleted.</summary>
    public IReadOnlyList<ProcessIdentity> Living()
    {
        var living = new List<ProcessIdentity>();
        if (!Directory.Exists(_folder))
            return living;
        foreach (var file in Directory.EnumerateFiles(_folder, "*.json"))
        {
            if (Read(file) is { } process && process.IsAlive())
                living.Add(process);
            else
                files.Delete(file);
        }
        return living;
    }

    private static ProcessIdentity? Read(string file)
    {
        try
        {
            return JsonSerializer.Deserialize<ProcessIdentity>(File.ReadAllText(file), Json.Options);
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException)
        {
            // It names nobody any more.
            return null;
        }
    }

    private string PathOf(ProcessIdentity process) => Path.Combine(_folder, $"{process.Pid}.json");
}
