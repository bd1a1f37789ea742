namespace Groundcrew.Deploys;

/// <summary>How the tables of what is laid over the traffic are made.</summary>
internal static class TrafficTables
{
    public const string Create = """
        CREATE TABLE holds (
            project_id text NOT NULL REFERENCES projects (id) DEFERRABLE INITIALLY DEFERRED,
            environment text NOT NULL,
            kind text NOT NULL,
            message text NULL,
            max_wait bigint NOT NULL,
            max_waiting bigint NOT NULL,
            since bigint NOT NULL,
            actor text NOT NULL,
            PRIMARY KEY (project_id, environment)
        );
        CREATE TABLE splits (
            project_id text NOT NULL REFERENCES projects (id) DEFERRABLE INITIALLY DEFERRED,
            environment text NOT NULL,
            deployment text NOT NULL,
            percent bigint NOT NULL,
            since bigint NOT NULL,
            actor text NOT NULL,
            PRIMARY KEY (project_id, environment, deployment)
        );
        CREATE TABLE maintenance (
            id text NOT NULL PRIMARY KEY,
            org text NULL,
            message text NULL,
            retry_after bigint NOT NULL,
            retry_after_is_remaining boolean NOT NULL,
            since bigint NOT NULL,
            until bigint NULL,
            exempt text NOT NULL,
            actor text NOT NULL
        );
        CREATE TABLE drains (
            id text NOT NULL PRIMARY KEY,
            deployment text NOT NULL,
            instance_id text NULL,
            since bigint NOT NULL,
            actor text NOT NULL
        );
        CREATE INDEX drains_of_deployment ON drains (deployment);
        ALTER TABLE route_table ADD COLUMN levels text NULL;
        """;

    public const string AddNodeDrains = """
        CREATE TABLE node_drains (
            node_id text NOT NULL PRIMARY KEY,
            since bigint NOT NULL,
            actor text NOT NULL
        );
        """;
}
