using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>An applied migration.</summary>
internal sealed class MigrationRow
{
    public required string Room { get; init; }

    public required int Number { get; init; }

    public required string Name { get; init; }

    public required DateTimeOffset AppliedAt { get; init; }

    public required string Checksum { get; init; }
}

/// <summary>One fact of the platform itself.</summary>
internal sealed class PlatformRow
{
    private const string IdKey = "id";
    private const string OpenedKey = "opened-at";

    public required string Key { get; init; }

    public required string Value { get; set; }

    /// <summary>Makes the id at the first start. Writing the time of opening proves that the store can be written.</summary>
    public static async Task<Guid> OpenedAsync(StoreContext db, TimeProvider clock, CancellationToken cancellation)
    {
        var rows = await db.Set<PlatformRow>().ToDictionaryAsync(p => p.Key, StringComparer.Ordinal, cancellation);
        Put(db, rows, OpenedKey, clock.GetUtcNow().ToString("O"));
        if (rows.TryGetValue(IdKey, out var id))
            return Guid.ParseExact(id.Value, "D");
        var made = Ids.New(clock);
        Put(db, rows, IdKey, made.ToString("D"));
        return made;
    }

    private static void Put(StoreContext db, Dictionary<string, PlatformRow> rows, string key, string value)
    {
        if (rows.TryGetValue(key, out var row))
            row.Value = value;
        else
            db.Add(new PlatformRow { Key = key, Value = value });
    }
}
