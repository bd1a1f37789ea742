using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Packing;
using Groundcrew.Cli.Speaking;
using Spectre.Console;

namespace Groundcrew.Cli.Verbs;

/// <summary>Packs and sends a package, with progress on a terminal.</summary>
internal static class Upload
{
    public static async Task<PackedFile> PackAsync(Call call, IReadOnlyList<PackEntry> entries)
    {
        if (!call.Words.IsTerminal)
            return await Packer.PackAsync(entries, null, call.Cancellation);
        PackedFile? packed = null;
        await Consoles.On(call.Words).Progress().AutoClear(true).StartAsync(async progress =>
        {
            var task = progress.AddTask("packaging", maxValue: Math.Max(1, entries.Count(e => e.Kind == PackEntryKind.File)));
            packed = await Packer.PackAsync(entries, files => task.Value = files, call.Cancellation);
        });
        return packed!;
    }

    public static async Task SendAsync(Call call, string service, PackedFile package)
    {
        if (await call.Client.HasArtifactAsync(package.Digest, call.Cancellation))
        {
            call.Words.Line($"Uploaded {service}: already stored, nothing sent");
            return;
        }
        var began = call.Clock.GetTimestamp();
        await using var file = File.OpenRead(package.Path);
        if (call.Words.IsTerminal)
            await Consoles.On(call.Words).Progress().AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new TransferSpeedColumn())
                .StartAsync(async progress =>
                {
                    var task = progress.AddTask("uploading", maxValue: Math.Max(1, package.Size));
                    await SendAsync(call, package, file, sent => task.Value = sent);
                });
        else
            await SendAsync(call, package, file, _ => { });
        call.Words.Line($"Uploaded {service}: {Speaking.Text.Bytes(package.Size)} in {Speaking.Text.Took(call.Clock.GetElapsedTime(began))}");
    }

    private static async Task SendAsync(Call call, PackedFile package, Stream file, Action<long> sent)
    {
        await using var counted = new CountedStream(file, sent);
        await call.Client.UploadArtifactAsync(package.Digest, counted, call.Cancellation);
    }
}
