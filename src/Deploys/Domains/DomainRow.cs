namespace Groundcrew.Deploys;

/// <summary>A claim of a custom domain: at most one a project, and of all claims of a host at most one is routed.</summary>
internal sealed class DomainRow
{
    public required string Host { get; set; }

    public required Guid ProjectId { get; set; }

    public required string Environment { get; set; }

    /// <summary>What the TXT record holds; no secret, for it proves something only in the domain's own DNS.</summary>
    public required string Token { get; set; }

    public required DomainState State { get; set; }

    public DomainProof? Proof { get; set; }

    public bool? LeadsHere { get; set; }

    /// <summary>Whether its DNS ever led here while the claim was proven: only then can it go astray.</summary>
    public required bool LedHere { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }

    /// <summary>Since when it is asked for in vain; the time to give up is counted from here.</summary>
    public required DateTimeOffset AskedAt { get; set; }

    public DateTimeOffset? VerifiedAt { get; set; }

    public DateTimeOffset? LookedAt { get; set; }

    public required DateTimeOffset NextLookAt { get; set; }

    /// <summary>How often it was looked at since it was asked for.</summary>
    public required int Looks { get; set; }

    /// <summary>When a person was told last that it is astray.</summary>
    public DateTimeOffset? WarnedAt { get; set; }

    public string? Problem { get; set; }

    public bool IsRouted => State is DomainState.Verified or DomainState.Astray;
}

/// <summary>How the table of claims is made, out of that of domains without proofs.</summary>
internal static class DomainTables
{
    public const string Create = """
        CREATE TABLE domain_claims (
            host text NOT NULL,
            project_id text NOT NULL REFERENCES projects (id) DEFERRABLE INITIALLY DEFERRED,
            environment text NOT NULL,
            token text NOT NULL,
            state text NOT NULL,
            proof text NULL,
            leads_here boolean NULL,
            led_here boolean NOT NULL,
            created_at bigint NOT NULL,
            asked_at bigint NOT NULL,
            verified_at bigint NULL,
            looked_at bigint NULL,
            next_look_at bigint NOT NULL,
            looks bigint NOT NULL,
            warned_at bigint NULL,
            problem text NULL,
            PRIMARY KEY (host, project_id)
        );
        CREATE INDEX domain_claims_of_project ON domain_claims (project_id);
        CREATE INDEX domain_claims_to_look_at ON domain_claims (next_look_at);
        INSERT INTO domain_claims (host, project_id, environment, token, state, proof, led_here, created_at, asked_at, verified_at, next_look_at, looks)
            SELECT d.host, d.project_id, d.environment, replace(d.project_id, '-', ''), 'Verified', 'Before', true, p.created_at, p.created_at, p.created_at, 0, 0
            FROM domains d JOIN projects p ON p.id = d.project_id;
        DROP TABLE domains;
        """;
}
