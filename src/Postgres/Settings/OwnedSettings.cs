using System.Collections.Frozen;

namespace Groundcrew.Postgres;

/// <summary>The settings that the platform owns, each with the words for who tries to set it. Immutable.</summary>
internal static class OwnedSettings
{
    private const string Place = "the platform says where files, sockets and processes are";
    private const string Reach = "the platform says who may connect: name networks, databases and roles in the manifest";
    private const string Port = "the platform gives a cluster its port";
    private const string Archive = "the platform keeps the log in the archive by itself: say where with the cluster's backups";
    private const string Recovery = "restores are asked for, never set: use crew db restore";
    private const string Standby = "the platform connects standbys and their primary by itself";
    private const string Durability = "without it what was committed may be lost or damaged, and backups could not be trusted";
    private const string Log = "the platform keeps the server's log";
    private const string Tls = "the platform does not offer TLS of the server itself";
    private const string Include = "it is no setting: name the settings themselves";

    private static readonly FrozenDictionary<string, string> Words = new (string Why, string[] Names)[]
    {
        (Place, ["data_directory", "config_file", "hba_file", "ident_file", "external_pid_file", "unix_socket_directories", "unix_socket_group", "unix_socket_permissions", "cluster_name", "dynamic_library_path", "krb_server_keyfile", "event_source", "bonjour", "bonjour_name"]),
        (Port, ["port"]),
        (Reach, ["listen_addresses", "password_encryption", "db_user_namespace", "row_security"]),
        (Archive, ["archive_mode", "archive_command", "archive_library", "archive_timeout", "wal_level", "wal_log_hints", "max_slot_wal_keep_size"]),
        (Recovery, ["restore_command", "archive_cleanup_command", "recovery_end_command", "recovery_target", "recovery_target_action", "recovery_target_inclusive", "recovery_target_lsn", "recovery_target_name", "recovery_target_time", "recovery_target_timeline", "recovery_target_xid", "promote_trigger_file"]),
        (Standby, ["primary_conninfo", "primary_slot_name", "synchronous_standby_names", "hot_standby", "wal_receiver_create_temp_slot"]),
        (Durability, ["fsync", "full_page_writes", "wal_sync_method", "zero_damaged_pages", "ignore_checksum_failure", "ignore_system_indexes", "ignore_invalid_pages", "allow_system_table_mods", "data_sync_retry", "session_replication_role", "wal_init_zero", "allow_in_place_tablespaces", "remove_temp_files_after_crash"]),
        (Log, ["logging_collector", "log_destination", "log_directory", "log_filename", "log_file_mode", "log_rotation_age", "log_rotation_size", "log_truncate_on_rotation", "syslog_facility", "syslog_ident", "syslog_sequence_numbers", "syslog_split_messages", "log_line_prefix", "log_timezone"]),
        (Tls, ["ssl", "ssl_ca_file", "ssl_cert_file", "ssl_ciphers", "ssl_crl_dir", "ssl_crl_file", "ssl_dh_params_file", "ssl_ecdh_curve", "ssl_key_file", "ssl_max_protocol_version", "ssl_min_protocol_version", "ssl_passphrase_command", "ssl_passphrase_command_supports_reload", "ssl_prefer_server_ciphers"]),
        (Include, ["include", "include_dir", "include_if_exists"]),
    }.SelectMany(g => g.Names.Select(n => KeyValuePair.Create(n, g.Why))).ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>Why a setting is not for others to set; null when it is.</summary>
    public static string? WhyOwned(string name) => Words.GetValueOrDefault(name);
}
