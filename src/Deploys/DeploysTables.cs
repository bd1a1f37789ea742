using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>The tables of the room: projects, environments, hosts, domains, deployments, artifacts, requests, what is laid over the traffic, the route table and certificates.</summary>
public sealed class DeploysTables : IStorePart
{
    /// <inheritdoc/>
    public string Room => "deploys";

    /// <inheritdoc/>
    public IReadOnlyList<Migration> Migrations { get; } =
    [
        new(1, "projects, environments, hosts, domains, deployments, artifacts, route table", """
            CREATE TABLE projects (
                id text NOT NULL PRIMARY KEY,
                org text NOT NULL,
                name text NOT NULL,
                github_repo text NULL,
                branch text NULL,
                auto_deploy boolean NOT NULL,
                millicores bigint NULL,
                memory_bytes bigint NULL,
                created_at bigint NOT NULL,
                version bigint NOT NULL,
                UNIQUE (org, name)
            );
            CREATE TABLE hosts (
                label text NOT NULL PRIMARY KEY,
                project_id text NOT NULL REFERENCES projects (id) DEFERRABLE INITIALLY DEFERRED
            );
            CREATE TABLE environments (
                project_id text NOT NULL REFERENCES projects (id) DEFERRABLE INITIALLY DEFERRED,
                name text NOT NULL,
                host_label text NOT NULL UNIQUE REFERENCES hosts (label) DEFERRABLE INITIALLY DEFERRED,
                current text NULL,
                previous text NULL,
                generation bigint NOT NULL,
                PRIMARY KEY (project_id, name)
            );
            CREATE TABLE domains (
                host text NOT NULL PRIMARY KEY,
                project_id text NOT NULL REFERENCES projects (id) DEFERRABLE INITIALLY DEFERRED,
                environment text NOT NULL
            );
            CREATE TABLE artifacts (
                digest text NOT NULL PRIMARY KEY,
                size bigint NOT NULL,
                created_at bigint NOT NULL
            );
            CREATE TABLE deployments (
                id text NOT NULL PRIMARY KEY,
                label text NOT NULL UNIQUE REFERENCES hosts (label) DEFERRABLE INITIALLY DEFERRED,
                project_id text NOT NULL REFERENCES projects (id) DEFERRABLE INITIALLY DEFERRED,
                org text NOT NULL,
                project text NOT NULL,
                environment text NOT NULL,
                status text NOT NULL,
                why text NULL,
                settings text NOT NULL,
                manifest text NULL,
                service text NULL,
                artifact text NULL,
                commit_sha text NULL,
                commit_message text NULL,
                actor text NOT NULL,
                operation text NOT NULL,
                created_at bigint NOT NULL,
                activated_at bigint NULL,
                kept_until bigint NULL
            );
            CREATE INDEX deployments_of_project ON deployments (project_id, environment, created_at);
            CREATE INDEX deployments_by_status ON deployments (status);
            CREATE TABLE route_table (
                id bigint NOT NULL PRIMARY KEY,
                generation bigint NOT NULL,
                routes text NOT NULL
            );
            """),
        new(2, "what requests with a key began", """
            CREATE TABLE rollout_requests (
                actor_id text NOT NULL,
                key text NOT NULL,
                hash text NOT NULL,
                deployment text NOT NULL,
                operation text NOT NULL,
                created_at bigint NOT NULL,
                PRIMARY KEY (actor_id, key)
            );
            """),
        new(3, "what people lay over the traffic: holds, splits, maintenance and drains", TrafficTables.Create),
        new(4, "nodes that are drained at the edges", TrafficTables.AddNodeDrains),
        new(5, "claims of domains, with what proves them", DomainTables.Create),
        new(6, "certificates, what their renewal goes by, who makes them and what proves hosts to an authority", CertificateTables.Create),
    ];

    /// <inheritdoc/>
    public void Configure(ModelBuilder model)
    {
        model.Entity<ProjectRow>(e =>
        {
            e.ToTable("projects").HasKey(p => p.Id);
            e.HasIndex(p => new { p.Org, p.Name }).IsUnique();
        });
        model.Entity<HostRow>(e => e.ToTable("hosts").HasKey(h => h.Label));
        model.Entity<EnvironmentRow>(e =>
        {
            e.ToTable("environments").HasKey(r => new { r.ProjectId, r.Name });
            e.HasIndex(r => r.HostLabel).IsUnique();
        });
        model.Entity<DomainRow>(e =>
        {
            e.ToTable("domain_claims").HasKey(d => new { d.Host, d.ProjectId });
            e.HasIndex(d => d.ProjectId);
            e.HasIndex(d => d.NextLookAt);
            e.Ignore(d => d.IsRouted);
        });
        model.Entity<ArtifactRow>(e => e.ToTable("artifacts").HasKey(a => a.Digest));
        model.Entity<DeploymentRow>(e =>
        {
            e.ToTable("deployments").HasKey(d => d.Id);
            e.HasIndex(d => d.Label).IsUnique();
            e.HasIndex(d => new { d.ProjectId, d.Environment, d.CreatedAt });
            e.HasIndex(d => d.Status);
        });
        model.Entity<RolloutRequestRow>(e => e.ToTable("rollout_requests").HasKey(r => new { r.ActorId, r.Key }));
        model.Entity<HoldRow>(e => e.ToTable("holds").HasKey(h => new { h.ProjectId, h.Environment }));
        model.Entity<SplitRow>(e => e.ToTable("splits").HasKey(s => new { s.ProjectId, s.Environment, s.Deployment }));
        model.Entity<MaintenanceRow>(e => e.ToTable("maintenance").HasKey(m => m.Id));
        model.Entity<DrainRow>(e =>
        {
            e.ToTable("drains").HasKey(d => d.Id);
            e.HasIndex(d => d.Deployment);
        });
        model.Entity<NodeDrainRow>(e => e.ToTable("node_drains").HasKey(d => d.NodeId));
        model.Entity<RouteTableRow>(e =>
        {
            e.ToTable("route_table").HasKey(t => t.Id);
            e.Property(t => t.Id).ValueGeneratedNever();
        });
        CertificateTables.Configure(model);
    }
}
