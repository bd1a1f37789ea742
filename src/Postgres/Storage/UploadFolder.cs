using System.Security.Cryptography;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// Where a <see cref="FolderStorage"/> writes what is not an object yet: in the same file system, out of the way of keys. A
/// file's name says which process writes it: <c>pid.start ticks.boot id.random</c>.
/// </summary>
/// <param name="path">The folder.</param>
/// <param name="clock">Tells how old left-overs are.</param>
internal sealed class UploadFolder(string path, TimeProvider clock)
{
    /// <summary>Its name; no key begins with a dot.</summary>
    public const string Name = ".uploads";

    private static readonly TimeSpan LeftOverAfter = TimeSpan.FromDays(1);

    /// <summary>The folder.</summary>
    public string Path => path;

    /// <summary>A name for a file of this process.</summary>
    public string NewFile()
    {
        var self = ProcessIdentity.Self;
        return System.IO.Path.Combine(path, $"{self.Pid}.{self.StartTicks}.{self.BootId}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}");
    }

    /// <summary>
    /// Removes files of processes of this boot that are gone, and files that nobody wrote to for a day: these may be of another
    /// machine that has the folder mounted. What cannot be removed stays, so that a storage that may only be read is opened.
    /// </summary>
    public void RemoveLeftOvers()
    {
        try
        {
            if (!Directory.Exists(path))
                return;
            foreach (var file in Directory.EnumerateFiles(path).Where(IsLeftOver))
                File.Delete(file);
        }
        catch (Exception e) when (FolderFaults.IsOne(e))
        {
            // They are no objects, and only take room.
        }
    }

    private bool IsLeftOver(string file) =>
        IsOfDeadProcess(System.IO.Path.GetFileName(file)) || clock.GetUtcNow() - new DateTimeOffset(File.GetLastWriteTimeUtc(file)) >= LeftOverAfter;

    private static bool IsOfDeadProcess(string name) =>
        name.Split('.') is [var pid, var ticks, var boot, _] && boot == ProcessIdentity.CurrentBootId
        && int.TryParse(pid, out var id) && long.TryParse(ticks, out var start)
        && !new ProcessIdentity(id, start, boot).IsAlive();
}
