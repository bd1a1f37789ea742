using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>
/// The tables of one room. Hand-written SQL makes them and <see cref="Configure"/> describes the same to EF Core;
/// a test holds the two equal on both engines. Implementations are stateless.
/// </summary>
public interface IStorePart
{
    /// <summary>The room, lower-case, such as <c>fleet</c>; never changes, for the migrations are recorded under it.</summary>
    string Room { get; }

    /// <summary>The migrations, numbered 1, 2, 3, … without a gap. A released one never changes.</summary>
    IReadOnlyList<Migration> Migrations { get; }

    /// <summary>
    /// Adds the entities. Every entity names its table (<c>ToTable</c>); columns are named in snake_case by convention.
    /// </summary>
    void Configure(ModelBuilder model);
}

/// <summary>
/// One change of the schema, applied once, in one transaction. The SQL must run on SQLite and PostgreSQL alike: the
/// column types are <c>text</c>, <c>bigint</c>, <c>boolean</c>, <c>bytea</c> and <c>double precision</c>; times are
/// <c>bigint</c> microseconds since 1970, ids are <c>text</c>, JSON documents are <c>text</c>, enumerations are their
/// names as <c>text</c>.
/// </summary>
/// <param name="Number">From 1, without gaps, within the room.</param>
/// <param name="Name">A few words with hyphens.</param>
/// <param name="Sql">Statements with semicolons between them.</param>
public sealed record Migration(int Number, string Name, string Sql)
{
    /// <summary>What follows <see cref="Sql"/> on SQLite only, such as a trigger; null for nothing.</summary>
    public string? OnSqlite { get; init; }

    /// <summary>What follows <see cref="Sql"/> on PostgreSQL only; null for nothing.</summary>
    public string? OnPostgreSql { get; init; }

    internal string Checksum =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Sql}\0{OnSqlite}\0{OnPostgreSql}")));
}
