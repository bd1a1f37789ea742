using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>The journal's own tables: operations, leases, tokens, audit, request keys and secrets.</summary>
internal sealed class JournalPart : IStorePart
{
    public string Room => "journal";

    public IReadOnlyList<Migration> Migrations { get; } =
    [
        new(1, "platform", "CREATE TABLE platform (key text NOT NULL PRIMARY KEY, value text NOT NULL)"),
        new(2, "operations", """
            CREATE TABLE operations (
                id text NOT NULL PRIMARY KEY, kind text NOT NULL, subject text NOT NULL, summary text NOT NULL,
                actor_id text NOT NULL, actor text NOT NULL, plan text NOT NULL, state text NOT NULL, undoing boolean NOT NULL,
                why text, conclusion text, outcome text, created_at bigint NOT NULL, ended_at bigint,
                request_key text, request_hash text, lines_dropped bigint NOT NULL);
            CREATE UNIQUE INDEX operations_request ON operations (actor_id, request_key);
            CREATE INDEX operations_created ON operations (created_at, id);
            CREATE INDEX operations_subject ON operations (subject, created_at);
            CREATE INDEX operations_state ON operations (state);
            CREATE TABLE operation_steps (
                operation_id text NOT NULL REFERENCES operations (id), position bigint NOT NULL, name text NOT NULL, state text NOT NULL,
                attempt bigint NOT NULL, started_at bigint, ended_at bigint, words text, PRIMARY KEY (operation_id, position));
            CREATE TABLE operation_lines (
                operation_id text NOT NULL REFERENCES operations (id), number bigint NOT NULL, at bigint NOT NULL, step text NOT NULL,
                text text NOT NULL, PRIMARY KEY (operation_id, number));
            CREATE TABLE leases (
                key text NOT NULL PRIMARY KEY, operation_id text REFERENCES operations (id), generation bigint NOT NULL, position bigint NOT NULL, acquired_at bigint NOT NULL);
            CREATE INDEX leases_operation ON leases (operation_id)
            """),
        new(3, "access", """
            CREATE TABLE tokens (
                id text NOT NULL PRIMARY KEY, name text NOT NULL, role text NOT NULL, org text, hash bytea NOT NULL, created_at bigint NOT NULL,
                expires_at bigint, revoked_at bigint, last_used_at bigint);
            CREATE UNIQUE INDEX tokens_hash ON tokens (hash);
            CREATE TABLE audit (
                id text NOT NULL PRIMARY KEY, at bigint NOT NULL, actor_id text NOT NULL, actor text NOT NULL, role text NOT NULL,
                action text NOT NULL, subject text NOT NULL, outcome text NOT NULL, detail text, request_id text);
            CREATE INDEX audit_at ON audit (at, id);
            CREATE INDEX audit_subject ON audit (subject, at);
            CREATE TABLE request_keys (
                actor_id text NOT NULL, key text NOT NULL, request_hash text NOT NULL, owner text NOT NULL, claimed_at bigint NOT NULL,
                expires_at bigint NOT NULL, status bigint, content_type text, body bytea, PRIMARY KEY (actor_id, key));
            CREATE INDEX request_keys_expiry ON request_keys (expires_at);
            CREATE TABLE secrets (
                org text NOT NULL, name text NOT NULL, version bigint NOT NULL, sealed bytea, set_at bigint NOT NULL, actor text NOT NULL,
                PRIMARY KEY (org, name, version))
            """)
        {
            OnSqlite = """
                CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END;
                CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;
                """,
            OnPostgreSql = """
                CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit entries are never changed or deleted'; END $$;
                CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept();
                """,
        },
    ];

    public void Configure(ModelBuilder model)
    {
        model.Entity<MigrationRow>().ToTable("schema_migrations").HasKey(m => new { m.Room, m.Number });
        model.Entity<PlatformRow>().ToTable("platform").HasKey(p => p.Key);
        ConfigureOperations(model);
        model.Entity<TokenRow>().ToTable("tokens").HasKey(t => t.Id);
        model.Entity<AuditRow>().ToTable("audit").HasKey(a => a.Id);
        model.Entity<RequestKeyRow>().ToTable("request_keys").HasKey(k => new { k.ActorId, k.Key });
        model.Entity<SecretRow>().ToTable("secrets").HasKey(s => new { s.Org, s.Name, s.Version });
    }

    private static void ConfigureOperations(ModelBuilder model)
    {
        model.Entity<OperationRow>().ToTable("operations").HasKey(o => o.Id);
        model.Entity<StepRow>(step =>
        {
            step.ToTable("operation_steps").HasKey(s => new { s.OperationId, s.Position });
            step.HasOne<OperationRow>().WithMany().HasForeignKey(s => s.OperationId).OnDelete(DeleteBehavior.Restrict);
        });
        model.Entity<LineRow>(line =>
        {
            line.ToTable("operation_lines").HasKey(l => new { l.OperationId, l.Number });
            line.HasOne<OperationRow>().WithMany().HasForeignKey(l => l.OperationId).OnDelete(DeleteBehavior.Restrict);
        });
        model.Entity<LeaseRow>(lease =>
        {
            lease.ToTable("leases").HasKey(l => l.Key);
            lease.HasOne<OperationRow>().WithMany().HasForeignKey(l => l.OperationId).OnDelete(DeleteBehavior.Restrict);
        });
    }
}
