using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Edge;

/// <summary>
/// The system calls that carry open sockets from one process to another: SCM_RIGHTS (unix(7), cmsg(3)), and whose
/// process is at the other end: SO_PEERCRED. For 64-bit Linux. Thread-safe.
/// </summary>
internal static partial class Descriptors
{
    /// <summary>The most that one message carries here; the kernel's own limit is 253.</summary>
    public const int Most = 64;

    private const int SocketLevel = 1;
    private const int Rights = 1;
    private const int PeerCredentials = 17;
    private const int CloseOnReceive = 0x40000000;
    private const int NoSignal = 0x4000;
    private const int DuplicateCloseOnExec = 1030;
    private const int TryAgain = 11;
    private const int Interrupted = 4;

    /// <summary>The user that this process acts as.</summary>
    public static uint OwnUser() => GetEffectiveUser();

    /// <summary>The process at the other end of a Unix domain socket, and its user.</summary>
    public static (int Pid, uint User) PeerOf(Socket socket)
    {
        Span<int> credentials = stackalloc int[3];
        socket.GetRawSocketOption(SocketLevel, PeerCredentials, MemoryMarshal.AsBytes(credentials));
        return (credentials[0], (uint)credentials[1]);
    }

    /// <summary>A second descriptor of the same socket, which is closed by a plain close(2).</summary>
    /// <exception cref="IOException">The process has no descriptor left.</exception>
    public static SafeFileHandle Duplicate(SafeHandle socket)
    {
        var copy = Control((int)socket.DangerousGetHandle(), DuplicateCloseOnExec, 0);
        return copy >= 0 ? new SafeFileHandle(copy, ownsHandle: true) : throw Failure("A socket could not be copied");
    }

    /// <summary>Sends bytes with descriptors attached to the first of them; returns how many bytes went.</summary>
    /// <exception cref="IOException">The other end is gone.</exception>
    public static unsafe int Send(Socket socket, ReadOnlySpan<byte> bytes, IReadOnlyList<SafeFileHandle> handles)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(handles.Count, Most, nameof(handles));
        var control = stackalloc long[Space(Most) / sizeof(long)];
        var header = (ControlHeader*)control;
        var values = (int*)(header + 1);
        (header->Length, header->Level, header->Type) = ((nuint)(sizeof(ControlHeader) + (handles.Count * sizeof(int))), SocketLevel, Rights);
        for (var i = 0; i < handles.Count; i++)
            values[i] = (int)handles[i].DangerousGetHandle();
        fixed (byte* data = bytes)
        {
            var part = new Part { Base = data, Length = (nuint)bytes.Length };
            var message = new Message { Parts = &part, PartCount = 1 };
            if (handles.Count > 0)
            {
                message.Control = control;
                message.ControlLength = (nuint)Space(handles.Count);
            }
            while (true)
            {
                var sent = SendMessage((int)socket.SafeHandle.DangerousGetHandle(), &message, NoSignal);
                if (sent >= 0)
                    return (int)sent;
                if (Marshal.GetLastPInvokeError() is not (Interrupted or TryAgain))
                    throw Failure("The sockets could not be sent");
            }
        }
    }

    /// <summary>
    /// Receives bytes and the descriptors that came with them, each of which the caller owns. Null when nothing is there
    /// yet; 0 bytes at the end.
    /// </summary>
    /// <exception cref="IOException">The other end is gone.</exception>
    public static unsafe int? Receive(Socket socket, Span<byte> bytes, ICollection<SafeFileHandle> handles)
    {
        var control = stackalloc long[Space(Most) / sizeof(long)];
        fixed (byte* data = bytes)
        {
            var part = new Part { Base = data, Length = (nuint)bytes.Length };
            var message = new Message { Parts = &part, PartCount = 1, Control = control, ControlLength = (nuint)Space(Most) };
            var received = ReceiveMessage((int)socket.SafeHandle.DangerousGetHandle(), &message, CloseOnReceive);
            if (received < 0)
                return Marshal.GetLastPInvokeError() is TryAgain or Interrupted ? null : throw Failure("The sockets could not be received");
            var header = (ControlHeader*)control;
            if (message.ControlLength >= (nuint)sizeof(ControlHeader) && header->Level == SocketLevel && header->Type == Rights)
            {
                var values = (int*)(header + 1);
                for (var i = 0; i < ((int)header->Length - sizeof(ControlHeader)) / sizeof(int); i++)
                    handles.Add(new SafeFileHandle(values[i], ownsHandle: true));
            }
            return (int)received;
        }
    }

    /// <summary>CMSG_SPACE: the header and so many descriptors, in whole words.</summary>
    private static unsafe int Space(int descriptors) =>
        sizeof(ControlHeader) + (((descriptors * sizeof(int)) + sizeof(long) - 1) / sizeof(long) * sizeof(long));

    private static IOException Failure(string what) => new($"{what} (errno {Marshal.GetLastPInvokeError()}).");

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static unsafe partial nint SendMessage(int socket, Message* message, int flags);

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static unsafe partial nint ReceiveMessage(int socket, Message* message, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command, int argument);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();

    /// <summary>struct cmsghdr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ControlHeader
    {
        public nuint Length;
        public int Level;
        public int Type;
    }

    /// <summary>struct iovec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Part
    {
        public byte* Base;
        public nuint Length;
    }

    /// <summary>struct msghdr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Message
    {
        public void* Name;
        public uint NameLength;
        public Part* Parts;
        public nuint PartCount;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }
}
