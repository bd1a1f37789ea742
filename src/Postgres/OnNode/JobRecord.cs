using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Where a node keeps its jobs, and how many it does at once.</summary>
internal sealed record JobHostOptions
{
    /// <summary>The agent's folder. <c>cluster-jobs/</c> below it has a file for each job.</summary>
    public required string StateFolder { get; init; }

    /// <summary>How many jobs of different clusters are done at once.</summary>
    public int MostAtOnce { get; init; } = 2;

    /// <summary>How often progress is told at most.</summary>
    public TimeSpan TellEvery { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a job that is over is kept when nobody asks for it any more.</summary>
    public TimeSpan KeepUnasked { get; init; } = TimeSpan.FromDays(1);

    /// <summary>How files are made durable.</summary>
    public DurableFiles Files { get; init; } = DurableFiles.Real;
}

/// <summary>What a node knows of one job, durably: <c>cluster-jobs/&lt;id&gt;.json</c>. Immutable.</summary>
internal sealed record JobRecord
{
    /// <summary>The version that this program writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of this shape.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>What to do, and what should become of it.</summary>
    public required ClusterJob Job { get; init; }

    /// <summary>The generation of the task that said so.</summary>
    public required long Generation { get; init; }

    /// <summary>When it came: jobs of a cluster are done in that order.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>Where it stands.</summary>
    public required JobStatus Status { get; init; }

    /// <summary>Whether it is over.</summary>
    public bool IsOver => Status.State is JobState.Succeeded or JobState.Failed or JobState.Cancelled;

    /// <summary>Reads one.</summary>
    /// <exception cref="InvalidDataException">It cannot be read, or a newer program wrote it.</exception>
    public static JobRecord Read(string file)
    {
        try
        {
            return JsonSerializer.Deserialize<JobRecord>(File.ReadAllText(file), Json.Options) is { Version: CurrentVersion, Job.Work: not null, Status: not null } record
                ? record
                : throw new InvalidDataException($"'{file}' has another version; this program reads {CurrentVersion}.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{file}' cannot be read: {e.Message}", e);
        }
    }
}
