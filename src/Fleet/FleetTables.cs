using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Fleet;

/// <summary>The tables of the room: regions, nodes, their tasks, and instances.</summary>
public sealed class FleetTables : IStorePart
{
    /// <inheritdoc/>
    public string Room => "fleet";

    /// <inheritdoc/>
    public IReadOnlyList<Migration> Migrations { get; } =
    [
        new(1, "regions, nodes, tasks, instances", """
            CREATE TABLE regions (
                id text NOT NULL PRIMARY KEY,
                code text NOT NULL UNIQUE,
                name text NOT NULL,
                country text NULL
            );
            CREATE TABLE nodes (
                id text NOT NULL PRIMARY KEY,
                hostname text NOT NULL,
                role text NOT NULL,
                region text NOT NULL REFERENCES regions (code) DEFERRABLE INITIALLY DEFERRED,
                state text NOT NULL,
                millicores bigint NOT NULL,
                memory_bytes bigint NOT NULL,
                version text NOT NULL,
                last_seen bigint NOT NULL,
                revision bigint NOT NULL,
                UNIQUE (hostname, role)
            );
            CREATE TABLE node_tasks (
                node_id text NOT NULL REFERENCES nodes (id) DEFERRABLE INITIALLY DEFERRED,
                key text NOT NULL,
                kind text NOT NULL,
                generation bigint NOT NULL,
                payload text NOT NULL,
                PRIMARY KEY (node_id, key)
            );
            CREATE TABLE instances (
                id text NOT NULL PRIMARY KEY,
                deployment text NOT NULL,
                org text NOT NULL,
                project text NOT NULL,
                node_id text NOT NULL REFERENCES nodes (id) DEFERRABLE INITIALLY DEFERRED,
                region text NOT NULL,
                phase text NOT NULL,
                spec text NOT NULL,
                millicores bigint NOT NULL,
                memory_bytes bigint NOT NULL,
                created_at bigint NOT NULL,
                state text NOT NULL,
                since bigint NOT NULL,
                address text NULL,
                pid bigint NULL,
                restarts bigint NOT NULL,
                reason text NULL,
                limits text NULL
            );
            CREATE INDEX instances_of_deployment ON instances (deployment);
            CREATE INDEX instances_in_phase ON instances (phase);
            """),
    ];

    /// <inheritdoc/>
    public void Configure(ModelBuilder model)
    {
        model.Entity<RegionRow>(e =>
        {
            e.ToTable("regions").HasKey(r => r.Id);
            e.HasIndex(r => r.Code).IsUnique();
        });
        model.Entity<NodeRow>(e =>
        {
            e.ToTable("nodes").HasKey(n => n.Id);
            e.HasIndex(n => new { n.Hostname, n.Role }).IsUnique();
        });
        model.Entity<NodeTaskRow>(e => e.ToTable("node_tasks").HasKey(t => new { t.NodeId, t.Key }));
        model.Entity<InstanceRow>(e =>
        {
            e.ToTable("instances").HasKey(i => i.Id);
            e.HasIndex(i => i.Deployment);
            e.HasIndex(i => i.Phase);
        });
    }
}
