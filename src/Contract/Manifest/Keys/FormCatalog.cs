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
        KeyKind.Probe => new ShortRecordForm(new RecordForm(Shape.Of(property.PropertyType)), "path"),
        KeyKind.Choice => new ChoiceForm(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType),
        KeyKind.Variables => new MapForm<string>("variable", [TextRules.VariableName, TextRules.FreeVariable], new TextForm(TextRules.VariableValue)),
        KeyKind.SecretNames => new MapForm<string>("variable", [TextRules.VariableName, TextRules.FreeVariable], new TextForm(TextRules.SecretName)),
        KeyKind.Domains => new ListForm(new TextForm(TextRules.Domain)),
        KeyKind.Section => new RecordForm(Shape.Of(property.PropertyType)),
        KeyKind.Services => new MapForm<ServiceManifest>("service", [TextRules.Name], new RecordForm(Shape.Of(typeof(ServiceManifest))), mayBeEmpty: false),
        KeyKind.Environments => new MapForm<EnvironmentManifest>("environment", [TextRules.Name], new RecordForm(Shape.Of(typeof(EnvironmentManifest)))),
        KeyKind.Percent => new PercentForm(key),
        KeyKind.Size => new SizeForm(key),
        KeyKind.Flag => new FlagForm(),
        KeyKind.Networks => new ListForm(new TextForm(EdgeTextRules.Network)),
        KeyKind.Header => new TextForm(EdgeTextRules.Header),
        KeyKind.HeaderPatterns => new ListForm(new TextForm(EdgeTextRules.HeaderPattern)),
        KeyKind.Cookie => new TextForm(EdgeTextRules.Cookie),
        KeyKind.Methods => new ListForm(new TextForm(EdgeTextRules.Method)),
        KeyKind.Limits => new RecordListForm<EdgeLimitManifest>(new RecordForm(Shape.Of(typeof(EdgeLimitManifest)))),
        KeyKind.Concurrency => new ShortRecordForm(new RecordForm(Shape.Of(property.PropertyType)), "requests"),
        KeyKind.CacheRules => new RecordListForm<EdgeCacheManifest>(new RecordForm(Shape.Of(typeof(EdgeCacheManifest)))),
        KeyKind.PathPattern => new TextForm(EdgeTextRules.PathPattern),
        KeyKind.Compression => new ShortRecordForm(new RecordForm(Shape.Of(property.PropertyType)), "enabled"),
        KeyKind.MediaTypes => new ListForm(new TextForm(EdgeTextRules.MediaType)),
        KeyKind.Metrics => new ShortRecordForm(new RecordForm(Shape.Of(property.PropertyType)), "path"),
        _ => throw new InvalidOperationException($"No form for {key.Kind}."),
    };
}
