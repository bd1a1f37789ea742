using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal.Tests;

/// <summary>A room's part as rooms write them: one of every type that the store knows.</summary>
public sealed class ThingsPart : IStorePart
{
    public string Room => "things";

    public IReadOnlyList<Migration> Migrations { get; } =
    [
        new(1, "things", """
            CREATE TABLE things (
                name text NOT NULL PRIMARY KEY, owner_id text NOT NULL, count bigint NOT NULL, small bigint, ratio double precision NOT NULL,
                is_on boolean NOT NULL, bytes bytea, seen_at bigint NOT NULL, lasts bigint, state text NOT NULL)
            """),
        new(2, "things-by-owner", "CREATE INDEX things_owner ON things (owner_id)"),
    ];

    public void Configure(ModelBuilder model) => model.Entity<Thing>().ToTable("things").HasKey(t => t.Name);
}

public sealed class Thing
{
    public required string Name { get; init; }

    public Guid OwnerId { get; set; }

    public long Count { get; set; }

    public int? Small { get; set; }

    public double Ratio { get; set; }

    public bool IsOn { get; set; }

    public byte[]? Bytes { get; set; }

    public DateTimeOffset SeenAt { get; set; }

    public TimeSpan? Lasts { get; set; }

    public OperationState State { get; set; }
}
