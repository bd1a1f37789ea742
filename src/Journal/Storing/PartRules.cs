namespace Groundcrew.Journal;

/// <summary>What must hold of the parts before any of them touches a database. A breach is a bug of the program.</summary>
internal static class PartRules
{
    public static void Check(IReadOnlyList<IStorePart> parts)
    {
        var twice = parts.GroupBy(p => p.Room, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1);
        if (twice is not null)
            throw new InvalidOperationException($"The room '{twice.Key}' brings two parts.");
        foreach (var part in parts)
        {
            for (var i = 0; i < part.Migrations.Count; i++)
            {
                if (part.Migrations[i].Number != i + 1)
                    throw new InvalidOperationException($"Migration {part.Migrations[i].Number} of '{part.Room}' should have number {i + 1}.");
            }
        }
    }
}
