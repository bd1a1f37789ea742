using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>The tables of certificates: how they are made, and the same for EF Core.</summary>
internal static class CertificateTables
{
    public const string Create = """
        CREATE TABLE certificates (
            id text NOT NULL PRIMARY KEY,
            source text NOT NULL,
            host text NULL,
            authority text NULL,
            names text NOT NULL,
            subject text NOT NULL,
            issuer text NOT NULL,
            serial text NOT NULL,
            fingerprint text NOT NULL,
            not_before bigint NOT NULL,
            not_after bigint NOT NULL,
            chain text NOT NULL,
            sealed_key bytea NOT NULL,
            made_at bigint NOT NULL,
            actor text NOT NULL
        );
        CREATE INDEX certificates_of_host ON certificates (host);
        CREATE TABLE certificate_hosts (
            host text NOT NULL PRIMARY KEY,
            failures text NOT NULL,
            wait_until bigint NULL,
            chance double precision NOT NULL,
            problem text NULL,
            requested_at bigint NULL,
            began_at bigint NULL,
            gone_since bigint NULL
        );
        CREATE TABLE certificate_challenges (
            host text NOT NULL,
            token text NOT NULL,
            answer text NOT NULL,
            since bigint NOT NULL,
            PRIMARY KEY (host, token)
        );
        CREATE TABLE certificate_authority (
            id bigint NOT NULL PRIMARY KEY,
            kind text NOT NULL,
            directory text NULL,
            contacts text NOT NULL,
            terms_agreed boolean NOT NULL,
            challenge text NOT NULL,
            roots text NULL,
            external_key_id text NULL,
            sealed_external_key bytea NULL,
            set_at bigint NOT NULL,
            actor text NOT NULL
        );
        CREATE TABLE acme_accounts (
            directory text NOT NULL PRIMARY KEY,
            sealed_key bytea NOT NULL,
            is_registered boolean NOT NULL,
            made_at bigint NOT NULL
        );
        CREATE TABLE development_authority (
            id bigint NOT NULL PRIMARY KEY,
            certificate text NOT NULL,
            sealed_key bytea NOT NULL,
            made_at bigint NOT NULL
        );
        CREATE TABLE certificate_set (
            id bigint NOT NULL PRIMARY KEY,
            generation bigint NOT NULL,
            certificates text NOT NULL
        );
        CREATE TABLE certificate_warnings (
            subject text NOT NULL PRIMARY KEY,
            level text NOT NULL,
            raised_at bigint NOT NULL
        );
        """;

    /// <summary>The id of the one row of the tables that have only one.</summary>
    public const long OnlyRow = 1;

    public static void Configure(ModelBuilder model)
    {
        model.Entity<CertificateRow>(e =>
        {
            e.ToTable("certificates").HasKey(c => c.Id);
            e.HasIndex(c => c.Host);
        });
        model.Entity<CertificateHostRow>(e => e.ToTable("certificate_hosts").HasKey(h => h.Host));
        model.Entity<ChallengeRow>(e => e.ToTable("certificate_challenges").HasKey(c => new { c.Host, c.Token }));
        model.Entity<AuthorityRow>(e =>
        {
            e.ToTable("certificate_authority").HasKey(a => a.Id);
            e.Property(a => a.Id).ValueGeneratedNever();
        });
        model.Entity<AcmeAccountRow>(e => e.ToTable("acme_accounts").HasKey(a => a.Directory));
        model.Entity<DevelopmentAuthorityRow>(e =>
        {
            e.ToTable("development_authority").HasKey(a => a.Id);
            e.Property(a => a.Id).ValueGeneratedNever();
        });
        model.Entity<CertificateSetRow>(e =>
        {
            e.ToTable("certificate_set").HasKey(s => s.Id);
            e.Property(s => s.Id).ValueGeneratedNever();
        });
        model.Entity<CertificateWarningRow>(e => e.ToTable("certificate_warnings").HasKey(w => w.Subject));
    }
}
