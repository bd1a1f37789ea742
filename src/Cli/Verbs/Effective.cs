using Groundcrew.Bedrock;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract.Manifest;

namespace Groundcrew.Cli.Verbs;

/// <summary>Shows what holds for a service in an environment.</summary>
internal static class Effective
{
    public static void Write(Screen screen, string project, ServiceSettings settings)
    {
        screen.Line();
        screen.Line(screen.Ink.Of(Tone.Strong, project));
        screen.Field("  build", settings.Build);
        screen.Field("  package", settings.Image is null ? string.Join(", ", settings.Package) : null);
        screen.Field("  image", settings.Image);
        screen.Field("  run", settings.Run is { } run ? run.Line ?? string.Join(' ', run.Words!) : null);
        screen.Field("  ready", settings.Readiness is { } probe ? $"GET {probe.Path} within {Quantity.Format(settings.Deadline)}" : $"accepts a connection within {Quantity.Format(settings.Deadline)}");
        screen.Field("  instances", Instances(settings.Instances));
        screen.Field("  resources", Resources(settings.Resources));
        screen.Field("  drain", $"{Quantity.Format(settings.Drain)}; WebSockets {Quantity.Format(settings.WebSocketGrace)}");
        screen.Field("  rollback", $"at once for {Quantity.Format(settings.RollbackWindow)}; {settings.KeepVersions} versions are kept");
        screen.Field("  variables", string.Join(", ", settings.Environment.Keys.Order(StringComparer.Ordinal)));
        screen.Field("  secrets", string.Join(", ", settings.Secrets.Values.Distinct().Order(StringComparer.Ordinal)));
        screen.Field("  domains", string.Join(", ", settings.Domains));
    }

    private static string Instances(InstancesManifest instances) => string.Join(", ",
        instances.Regions.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"{r.Value} in {r.Key}")
            .Append(instances.Default is { } count ? $"{count} in each {(instances.Regions.Count > 0 ? "other " : "")}region" : null).OfType<string>());

    private static string Resources(ResourcesManifest resources) => string.Join(", ",
        new[] { resources.Millicores is { } cpu ? $"{cpu / 1000m} processors" : null, resources.MemoryBytes is { } memory ? Quantity.FormatBytes(memory) : null }.OfType<string>());
}
