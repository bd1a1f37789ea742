using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What a node knows of one server, durably: <c>clusters/&lt;id&gt;/record.json</c>. Immutable.</summary>
internal sealed record ServerRecord
{
    /// <summary>The version that this program writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of this shape.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>What it should be.</summary>
    public required ClusterSpec Spec { get; init; }

    /// <summary>The generation of the task that said so.</summary>
    public required long Generation { get; init; }

    /// <summary>The restarts that were asked for and made; see <see cref="ClusterSpec.Restarts"/>.</summary>
    public int Restarts { get; init; }

    /// <summary>PostgreSQL's number of the data that was seen here last; null before there was any. A primary that had data is never made anew.</summary>
    public string? SystemId { get; init; }
}

/// <summary>The files of one server. Its data and log are the server's user's own, the rest is ours. Not thread-safe: its actor's alone.</summary>
internal sealed class ServerFolder(string path, DurableFiles files)
{
    private readonly string _path = path;

    /// <summary>The data of the server. It is there whole or not at all: copies are made beside it.</summary>
    public string Data => Path.Combine(_path, "data");

    /// <summary>Where new data are made.</summary>
    public string NewData => Path.Combine(_path, "data.new");

    /// <summary>Data that were replaced, until the new ones run.</summary>
    public string OldData => Path.Combine(_path, "data.old");

    /// <summary>The sealed secrets of its cluster.</summary>
    public string SecretsFile => Path.Combine(_path, "secrets.sealed");

    /// <summary>The password with which it follows its primary (libpq's password file), the server's user's own.</summary>
    public string PassFile => Path.Combine(_path, "pass", "primary");

    /// <summary>Its log.</summary>
    public string LogFile => Path.Combine(_path, "log", "server.log");

    private string RecordFile => Path.Combine(_path, "record.json");

    private string RewindMark => Path.Combine(_path, "rewinding");

    /// <summary>A rewind was begun and not ended: the data are good for nothing but another rewind.</summary>
    public bool IsRewinding
    {
        get => File.Exists(RewindMark);
        set
        {
            if (value)
                files.Replace(RewindMark, "");
            else
                files.Delete(RewindMark);
        }
    }

    /// <summary>Whether there is anything of it.</summary>
    public bool Exists => Directory.Exists(_path);

    /// <summary>Makes the folder, which the server's user can pass and not read.</summary>
    public void Prepare(ServerUser user)
    {
        Directory.CreateDirectory(_path);
        user.LetPass(_path);
    }

    /// <summary>Writes the record, durably.</summary>
    public void Write(ServerRecord record) => files.Replace(RecordFile, JsonSerializer.Serialize(record, Json.Indented));

    /// <summary>The record; null when there is none.</summary>
    /// <exception cref="InvalidDataException">It cannot be read, or a newer program wrote it.</exception>
    public ServerRecord? Read()
    {
        if (!File.Exists(RecordFile))
            return null;
        try
        {
            var record = JsonSerializer.Deserialize<ServerRecord>(File.ReadAllText(RecordFile), Json.Options);
            return record is { Version: ServerRecord.CurrentVersion, Spec: not null }
                ? record
                : throw new InvalidDataException($"'{RecordFile}' has version {record?.Version}; this program reads {ServerRecord.CurrentVersion}.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{RecordFile}' cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Removes everything, the record last, so that a removal that was broken off goes on.</summary>
    public void Remove()
    {
        if (!Directory.Exists(_path))
            return;
        foreach (var folder in Directory.EnumerateDirectories(_path))
            Directory.Delete(folder, recursive: true);
        foreach (var file in Directory.EnumerateFiles(_path).Where(f => f != RecordFile))
            File.Delete(file);
        Directory.Delete(_path, recursive: true);
    }
}
