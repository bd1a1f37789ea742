namespace Groundcrew.Shape.Tests;

/// <summary>What is allowed although a check forbids it, each with its reason. A waiver that is not needed fails.</summary>
internal static class Waivers
{
    /// <summary>Files of src/ outside Bedrock/Durable that may write to a disk.</summary>
    internal static readonly (string Path, string Reason)[] FileWriters =
    [
        ("src/Daemon/Supervising/RoleProcess.cs", "Cuts the log of a role that appends to it, after copying it aside."),
        ("src/Fleet/OnNode/Artifacts/ArtifactStore.cs", "Streams a download beside its place; the digest decides whether it is kept."),
        ("src/Fleet/OnNode/Artifacts/SafeUnpacker.cs", "Unpacks an archive into a folder of its own, which becomes valid by its rename."),
        ("src/Fleet/OnNode/Output/LogFiles.cs", "Appends an instance's output in place; a torn last line is cut off when the file is opened again."),
        ("src/Fleet/OnNode/Output/Spool.cs", "The instance itself appends to the file; this end gives back what was read."),
        ("src/Fleet/OnNode/Processes/ControlGroups.cs", "Writes the kernel's control files, which are no files on a disk."),
        ("src/Postgres/OnNode/Restoring/BaseUnpacker.cs", "Unpacks a base backup into a folder of its own, which becomes the data folder by its rename once it was verified."),
        ("src/Postgres/Storage/FolderUpload.cs", "Streams an object into a file of its own; DurableFiles gives it its place."),
    ];

    /// <summary>Static fields that hold something changeable.</summary>
    internal static readonly (string Field, string Reason)[] StaticState =
    [
    ];
}
