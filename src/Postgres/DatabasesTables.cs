using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>The tables of the room: clusters and their servers, schedules, jobs, what storages hold, and drills.</summary>
public sealed class DatabasesTables : IStorePart
{
    /// <inheritdoc/>
    public string Room => "postgres";

    /// <inheritdoc/>
    public IReadOnlyList<Migration> Migrations { get; } =
    [
        new(1, "clusters, servers, schedules, jobs, catalogues, drills", """
            CREATE TABLE database_clusters (
                id text NOT NULL PRIMARY KEY,
                org text NOT NULL,
                name text NOT NULL,
                state text NOT NULL,
                is_external boolean NOT NULL,
                settings text NOT NULL,
                why text NULL,
                operation text NOT NULL,
                actor text NOT NULL,
                created_at bigint NOT NULL,
                restored_from text NULL,
                first_backup_begun_at bigint NULL,
                UNIQUE (org, name)
            );
            CREATE TABLE database_servers (
                id text NOT NULL PRIMARY KEY,
                cluster_id text NOT NULL REFERENCES database_clusters (id) DEFERRABLE INITIALLY DEFERRED,
                node_id text NOT NULL,
                role text NOT NULL,
                port bigint NOT NULL,
                desire text NOT NULL,
                created_at bigint NOT NULL
            );
            CREATE INDEX database_servers_of_cluster ON database_servers (cluster_id);
            CREATE INDEX database_servers_of_node ON database_servers (node_id);
            CREATE TABLE database_schedules (
                id text NOT NULL PRIMARY KEY,
                cluster_id text NOT NULL REFERENCES database_clusters (id) DEFERRABLE INITIALLY DEFERRED,
                kind text NOT NULL,
                cron text NOT NULL,
                zone text NOT NULL,
                jitter bigint NOT NULL,
                "database" text NULL,
                template text NULL,
                handled_until bigint NOT NULL,
                last_operation text NULL,
                last_started_at bigint NULL,
                last_ended_at bigint NULL,
                is_last_good boolean NULL,
                last_words text NULL
            );
            CREATE INDEX database_schedules_of_cluster ON database_schedules (cluster_id);
            CREATE TABLE database_jobs (
                id text NOT NULL PRIMARY KEY,
                cluster_id text NOT NULL,
                node_id text NOT NULL,
                operation text NOT NULL,
                created_at bigint NOT NULL,
                cancelled_by text NULL,
                dropped_at bigint NULL
            );
            CREATE INDEX database_jobs_of_cluster ON database_jobs (cluster_id);
            CREATE INDEX database_jobs_of_operation ON database_jobs (operation);
            CREATE TABLE database_catalogues (
                cluster_id text NOT NULL PRIMARY KEY,
                read_at bigint NOT NULL,
                seen text NOT NULL
            );
            CREATE TABLE database_drills (
                id text NOT NULL PRIMARY KEY,
                cluster_id text NOT NULL,
                operation text NOT NULL,
                started_at bigint NOT NULL,
                ended_at bigint NOT NULL,
                is_good boolean NOT NULL,
                backup text NULL,
                target bigint NULL,
                took bigint NOT NULL,
                lost bigint NOT NULL,
                findings text NOT NULL
            );
            CREATE INDEX database_drills_of_cluster ON database_drills (cluster_id, started_at);
            """),
    ];

    /// <inheritdoc/>
    public void Configure(ModelBuilder model)
    {
        model.Entity<ClusterRow>(e =>
        {
            e.ToTable("database_clusters").HasKey(c => c.Id);
            e.HasIndex(c => new { c.Org, c.Name }).IsUnique();
        });
        model.Entity<ServerRow>(e =>
        {
            e.ToTable("database_servers").HasKey(s => s.Id);
            e.HasIndex(s => s.ClusterId);
            e.HasIndex(s => s.NodeId);
        });
        model.Entity<ScheduleRow>(e =>
        {
            e.ToTable("database_schedules").HasKey(s => s.Id);
            e.HasIndex(s => s.ClusterId);
        });
        model.Entity<JobRow>(e =>
        {
            e.ToTable("database_jobs").HasKey(j => j.Id);
            e.HasIndex(j => j.ClusterId);
            e.HasIndex(j => j.Operation);
        });
        model.Entity<CatalogueRow>(e => e.ToTable("database_catalogues").HasKey(c => c.ClusterId));
        model.Entity<DrillRow>(e =>
        {
            e.ToTable("database_drills").HasKey(d => d.Id);
            e.HasIndex(d => new { d.ClusterId, d.StartedAt });
        });
    }
}
