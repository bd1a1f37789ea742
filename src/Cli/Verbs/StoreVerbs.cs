using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew store backup</c>.</summary>
internal static class StoreVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var file = Args.Word("FILE", "The file to write, on the control plane's machine.");
        return new Verb("store", "Back up the control plane's store while it runs.", "crew store backup /var/backups/crew.db") { Group = Groups.Operate }
            .With(new Verb("backup", "Write a complete, verified copy of the store.", "crew store backup /var/backups/crew.db").With(file)
                .Does(root, async call => call.Show(
                    await call.Client.PostAsync<BackupView>("store/backup", new BackupRequest(FullPath(call, call.Value(file))), call.Cancellation),
                    backup => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {backup.File}, {Text.Bytes(backup.Size)}"))));
    }

    // With another machine's control plane a path of this one would mean nothing.
    private static string FullPath(Call call, string file) =>
        call.Has(call.Root.Shared.Url) || call.Root.Environment.Url is not null ? file : Path.GetFullPath(file);
}
