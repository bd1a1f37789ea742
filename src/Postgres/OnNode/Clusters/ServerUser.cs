using System.Globalization;
using System.Runtime.InteropServices;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The user of the system that servers and their tools run as: PostgreSQL refuses root, so with root's rights it is
/// <c>postgres</c>, and otherwise ourselves. Immutable.
/// </summary>
/// <param name="Name">Its name in <c>/etc/passwd</c>.</param>
/// <param name="Switch">Whether a process has to be started as that user; false when we are that user.</param>
/// <param name="Id">Its number.</param>
/// <param name="Group">The number of its first group.</param>
internal sealed partial record ServerUser(string Name, bool Switch, uint Id, uint Group)
{
    private const UnixFileMode Passable = UnixFileMode.OtherExecute | UnixFileMode.GroupExecute | UnixFileMode.UserExecute;

    /// <summary>The user that fits our rights.</summary>
    /// <exception cref="JobFailedException">We are root and there is no user <c>postgres</c>.</exception>
    public static ServerUser Find() => TryFind() ?? throw new JobFailedException(
        "PostgreSQL does not run as root, and there is no user 'postgres' on this machine: install PostgreSQL from its package, or run the agent as another user.");

    /// <summary>The user that fits our rights; null when we are root and there is no user <c>postgres</c>.</summary>
    public static ServerUser? TryFind()
    {
        if (!Environment.IsPrivilegedProcess)
            return new(Environment.UserName, Switch: false, 0, 0);
        foreach (var line in File.ReadLines("/etc/passwd"))
            if (line.Split(':') is ["postgres", _, var id, var group, ..])
                return new("postgres", Switch: true, uint.Parse(id, CultureInfo.InvariantCulture), uint.Parse(group, CultureInfo.InvariantCulture));
        return null;
    }

    /// <summary>Gives a file or folder to this user; a link itself, never what it points to. Nothing when we are that user.</summary>
    public void Own(string path)
    {
        if (Switch && ChangeOwner(path, Id, Group) != 0)
            throw new IOException($"'{path}' cannot be given to the user '{Name}' (errno {Marshal.GetLastPInvokeError()}).");
    }

    /// <summary>Makes a folder that only this user can read; one that is there is given to it.</summary>
    /// <exception cref="IOException">A link stands in its place.</exception>
    public void MakeFolder(string path)
    {
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(path, ownerOnly);
        if (new DirectoryInfo(path).LinkTarget is not null)
            throw new IOException($"'{path}' is a link, and a server's folder has to be a folder: remove it.");
        Own(path);
        File.SetUnixFileMode(path, ownerOnly);
    }

    /// <summary>Lets this user pass through a folder of ours, which it needs to reach what is its own below.</summary>
    public void LetPass(string folder)
    {
        if (Switch && File.GetUnixFileMode(folder) is var mode && (mode & Passable) != Passable)
            File.SetUnixFileMode(folder, mode | Passable);
    }

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint user, uint group);
}
