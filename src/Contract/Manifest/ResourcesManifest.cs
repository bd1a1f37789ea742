namespace Groundcrew.Contract.Manifest;

/// <summary>What one instance may use, in the units of all guides (T-36); null where nothing is limited. Immutable.</summary>
public sealed record ResourcesManifest
{
    /// <summary>The bytes that a memory size without a unit counts in: megabytes, as the guide's <c>memory: 1024</c> (ZW-55).</summary>
    public const long BareMemoryUnit = 1_000_000;

    /// <summary>A share of processors.</summary>
    [Key(KeyKind.Cpu, "A share of processors. `vcpu` is another word for it (ZW-55).", Name = "cpu", Alias = "vcpu", Min = "10m", Max = "128",
        Example = "500m", LeftOut = "not limited")]
    public int? Millicores { get; init; }

    /// <summary>Memory.</summary>
    [Key(KeyKind.Memory, "Memory. A bare number counts megabytes (ZW-55).", Name = "memory", Min = "4Mi", Max = "4Ti", Example = "256Mi",
        LeftOut = "not limited")]
    public long? MemoryBytes { get; init; }

    /// <summary>Processors as the guide's calls show them (<c>vcpu</c>); null where not limited.</summary>
    public decimal? VirtualProcessors() => Millicores / 1000m;

    /// <summary>Memory as the guide's calls show it (<c>memory</c>, in megabytes, rounded up); null where not limited.</summary>
    public long? MemoryMegabytes() => (MemoryBytes + BareMemoryUnit - 1) / BareMemoryUnit;

    /// <summary>These, with what <paramref name="above"/> sets laid over them.</summary>
    public ResourcesManifest With(ResourcesManifest above) => new()
    {
        Millicores = above.Millicores ?? Millicores,
        MemoryBytes = above.MemoryBytes ?? MemoryBytes,
    };
}
