using System.CommandLine;
using Groundcrew.Bedrock;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract.Manifest;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew manifest</c>: all of it works without a control plane.</summary>
internal static class ManifestVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var folder = new Argument<string>("DIR") { Description = "The folder. Default: the one you are in", DefaultValueFactory = _ => "." };
        return new Verb("manifest", "Check a crew.yaml, begin one, or read what it may hold.", "crew manifest init", "crew manifest check crew.yaml --environment staging", "crew manifest schema > crew.schema.json") { Group = Groups.Write }
            .With(
                Check(root),
                new Verb("init", "Write a commented crew.yaml to begin with; one that is there is left alone.").With(folder).Does(root, call => Task.FromResult(Init(call, call.Value(folder)))),
                new Verb("schema", "Write the JSON schema, for editors.").Does(root, call => Written(call, ManifestSchema.Generate())),
                new Verb("reference", "Write the reference page: every key, annotated.").Does(root, call => Written(call, ManifestReference.Generate())));
    }

    private static Verb Check(CrewRoot root)
    {
        var file = new Argument<string>("FILE") { Description = "The manifest, or its folder. Default: crew.yaml here", DefaultValueFactory = _ => "." };
        var environment = Args.Text("--environment", "NAME", "Show what holds in this environment");
        return new Verb("check", "Judge a manifest: every problem with its line and fix.", "crew manifest check", "crew manifest check shop/crew.yaml --environment production")
            .With(file, environment)
            .Does(root, call =>
            {
                var manifest = ManifestFile.Read(call.Value(file));
                if (call.Value(environment) is { } name)
                    return Task.FromResult(call.Show(manifest.System.For(name), all =>
                    {
                        call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {manifest.Name} is well. In {name} there holds:");
                        foreach (var (service, settings) in all)
                            Effective.Write(call.Out, $"{manifest.System.Organization}/{service}", settings);
                    }));
                call.Out.Line(call.IsJson
                    ? ManifestWriter.ToJson(manifest.System)
                    : $"{call.Out.Ink.Of(Tone.Good, "✓")} {manifest.Name} is well: {Text.Count(manifest.System.Services.Count, "service")} of {manifest.System.Organization} in {string.Join(", ", manifest.System.EnvironmentNames)}");
                return Task.FromResult(ExitCode.Ok);
            });
    }

    private static ExitCode Init(Call call, string folder)
    {
        var path = Path.Combine(folder, SystemManifest.FileName);
        if (Path.Exists(path))
            throw new CrewFailedException(ExitCode.Conflict, $"{path} is there already and was left alone. Check it: crew manifest check {path}");
        if (!Directory.Exists(folder))
            throw new CrewFailedException(ExitCode.NotFound, $"There is no folder {folder}. Make it first.");
        DurableFiles.Real.Replace(path, StarterManifest.For(Path.GetFileName(Path.GetFullPath(folder))),
            DurableFiles.Private | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        call.Words.Line($"{call.Words.Ink.Of(Tone.Good, "✓")} {path} is written. Fill it in, then: crew deploy {folder}");
        return ExitCode.Ok;
    }

    private static Task<ExitCode> Written(Call call, string text)
    {
        call.Out.Writer.Write(text);
        return Task.FromResult(ExitCode.Ok);
    }
}
