using System.Diagnostics;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge.Tests;

/// <summary>A process of no interest, whose life and end stand for those of an edge.</summary>
internal sealed class Stranger : IDisposable
{
    private readonly Process _process = Process.Start(new ProcessStartInfo("sleep", "600") { UseShellExecute = false })!;

    public Stranger() => Identity = ProcessIdentity.Of(_process.Id)!;

    public ProcessIdentity Identity { get; }

    public void End()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            End();
        _process.Dispose();
    }
}
