using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>What a node knows of one instance, durably: <c>instances/&lt;id&gt;/record.json</c> (docs/formats/instance-record.md). Immutable.</summary>
internal sealed record InstanceRecord
{
    /// <summary>The version that this program writes and reads.</summary>
    public const int CurrentVersion = 1;

    public int Version { get; init; } = CurrentVersion;

    public required InstanceSpec Spec { get; init; }

    public required InstanceDesire Desire { get; init; }

    public required long Generation { get; init; }

    public required InstanceState State { get; init; }

    public required DateTimeOffset Since { get; init; }

    public string? Reason { get; init; }

    public int Starts { get; init; }

    public int Failures { get; init; }

    public int Flaps { get; init; }

    /// <summary>The port, chosen before the start.</summary>
    public int? Port { get; init; }

    /// <summary>The process; null while none runs, and in the moment between spawn and record.</summary>
    public ProcessIdentity? Process { get; init; }

    /// <summary>A process is about to be spawned or was, but its identity is not recorded yet.</summary>
    public bool Launching { get; init; }

    /// <summary>How the limits are held.</summary>
    public string? Limits { get; init; }
}

/// <summary>The files of one instance, and how its record is read and written. Not thread-safe: its actor's alone.</summary>
internal sealed class InstanceFolder(string path, DurableFiles files)
{
    public string Path { get; } = path;

    public string Scratch => System.IO.Path.Combine(Path, "scratch");

    public string Spool => System.IO.Path.Combine(Path, "spool");

    public string Logs => System.IO.Path.Combine(Path, "logs");

    public string RecordFile => System.IO.Path.Combine(Path, "record.json");

    public string SecretsFile => System.IO.Path.Combine(Path, "secrets.sealed");

    /// <summary>Makes the folders, closed to others.</summary>
    public void Prepare()
    {
        const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        foreach (var folder in new[] { Path, Scratch, Spool, Logs })
            Directory.CreateDirectory(folder, OwnerOnly);
    }

    public void Write(InstanceRecord record) => files.Replace(RecordFile, JsonSerializer.Serialize(record, Json.Indented));

    /// <summary>The record; null when there is none.</summary>
    /// <exception cref="InvalidDataException">It cannot be read, or a newer program wrote it.</exception>
    public InstanceRecord? Read()
    {
        if (!File.Exists(RecordFile))
            return null;
        try
        {
            var record = JsonSerializer.Deserialize<InstanceRecord>(File.ReadAllText(RecordFile), Json.Options);
            return record is { Version: InstanceRecord.CurrentVersion, Spec: not null }
                ? record
                : throw new InvalidDataException($"'{RecordFile}' has version {record?.Version}; this program reads {InstanceRecord.CurrentVersion}.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{RecordFile}' cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Removes what a stopped instance does not need: its logs and its record stay.</summary>
    public void Clean()
    {
        foreach (var folder in new[] { Scratch, Spool })
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        if (File.Exists(SecretsFile))
            files.Delete(SecretsFile);
    }
}
