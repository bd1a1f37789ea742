using System.Reflection;

namespace Groundcrew.Contract.Manifest;

/// <summary>Which form a key of each kind has.</summary>
internal static class FormCatalog
{
    public static Form For(PropertyInfo property, KeyAttribute key) => key.Kind switch
    {
        KeyKind.Name => new TextForm(TextRules.Name),
        KeyKind.Line => new TextForm(TextRules.Line),
        KeyKind.Command => new CommandForm(),
        KeyKind.Image => new TextForm(TextRules.Image),
        KeyKind.UrlPath => new TextForm(TextRules.UrlPath),
        KeyKind.PackagePaths => new ListForm(new TextForm(TextRules.PackagePath), orOne: true),
        KeyKind.Globs => new ListForm(new TextForm(TextRules.Glob)),
        KeyKind.Duration => new DurationForm(key),
        KeyKind.Count => new CountForm(key),
        KeyKind.Cpu => new CpuForm(key),
        KeyKind.Memory => new MemoryForm(key),
        KeyKind.Instances => new InstancesForm(new CountForm(key)),
        KeyKind.Probe => new ProbeForm(new RecordForm(Shape.Of(typeof(ProbeManifest)))),
        KeyKind.Choice => new ChoiceForm(property.PropertyType),
        KeyKind.Variables => new MapForm<string>("variable", [TextRules.VariableName, TextRules.FreeVariable], new TextForm(TextRules.VariableValue)),
        KeyKind.SecretNames => new MapForm<string>("variable", [TextRules.VariableName, TextRules.FreeVariable], new TextForm(TextRules.SecretName)),
        KeyKind.Domains => new ListForm(new TextForm(TextRules.Domain)),
        KeyKind.Section => new RecordForm(Shape.Of(property.PropertyType)),
        KeyKind.Services => new MapForm<ServiceManifest>("service", [TextRules.Name], new RecordForm(Shape.Of(typeof(ServiceManifest))), mayBeEmpty: false),
        KeyKind.Environments => new MapForm<EnvironmentManifest>("environment", [TextRules.Name], new RecordForm(Shape.Of(typeof(EnvironmentManifest)))),
        _ => throw new InvalidOperationException($"No form for {key.Kind}."),
    };
}
