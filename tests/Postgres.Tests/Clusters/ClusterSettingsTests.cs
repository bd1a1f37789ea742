using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>The settings of a server: derived from its memory, a system's own before them, the platform's refused (LO-57, LO-58).</summary>
public sealed class ClusterSettingsTests
{
    private const long Gigabyte = 1024L * 1024 * 1024;
    private static readonly Dictionary<string, string> None = [];

    [Theory]
    [InlineData(Gigabyte, "shared_buffers", "256MB")]
    [InlineData(Gigabyte, "effective_cache_size", "768MB")]
    [InlineData(Gigabyte, "maintenance_work_mem", "64MB")]
    [InlineData(Gigabyte, "work_mem", "2560kB")]
    [InlineData(Gigabyte, "max_wal_size", "512MB")]
    [InlineData(64 * Gigabyte, "shared_buffers", "16GB")]
    [InlineData(64 * Gigabyte, "maintenance_work_mem", "2GB")]
    [InlineData(64 * Gigabyte, "max_wal_size", "8GB")]
    [InlineData(1, "shared_buffers", "16MB")]
    public void Memory_settings_follow_from_the_memory(long memory, string name, string value) =>
        Assert.Equal(value, ClusterSettings.Derive(memory, 100 * Gigabyte, None)[name]);

    [Fact]
    public void What_backups_and_standbys_need_is_always_set()
    {
        var settings = ClusterSettings.Derive(Gigabyte, 100 * Gigabyte, None);
        Assert.Equal("replica", settings["wal_level"]);
        Assert.Equal("on", settings["wal_log_hints"]);
        Assert.Equal("on", settings["hot_standby"]);
        Assert.Equal("pg_stat_statements", settings["shared_preload_libraries"]);
        Assert.Equal("25GB", settings["max_slot_wal_keep_size"]);
    }

    [Fact]
    public void The_guides_own_go_before_the_derived_ones()
    {
        var own = new Dictionary<string, string> { ["max_connections"] = "200", ["shared_buffers"] = "256MB", ["effective_cache_size"] = "1GB", ["work_mem"] = "2621kB" };
        Assert.Empty(ClusterSettings.Judge(own, 2 * Gigabyte, "settings"));
        var settings = ClusterSettings.Derive(2 * Gigabyte, 0, own);
        Assert.All(own, o => Assert.Equal(o.Value, settings[o.Key]));
    }

    [Fact]
    public void More_connections_have_less_memory_each() =>
        Assert.Equal("1280kB", ClusterSettings.Derive(Gigabyte, 0, new Dictionary<string, string> { ["max_connections"] = "200" })["work_mem"]);

    [Fact]
    public void A_library_is_loaded_beside_the_platforms() =>
        Assert.Equal("pg_stat_statements,auto_explain", ClusterSettings.Derive(Gigabyte, 0, new Dictionary<string, string> { ["shared_preload_libraries"] = "auto_explain" })["shared_preload_libraries"]);

    [Theory]
    [InlineData("data_directory", "/tmp", "setting-owned")]
    [InlineData("hba_file", "/tmp/x", "setting-owned")]
    [InlineData("PORT", "5432", "setting-owned")]
    [InlineData("listen_addresses", "*", "setting-owned")]
    [InlineData("archive_command", "cp %p /x", "setting-owned")]
    [InlineData("restore_command", "x", "setting-owned")]
    [InlineData("primary_conninfo", "x", "setting-owned")]
    [InlineData("synchronous_standby_names", "*", "setting-owned")]
    [InlineData("fsync", "off", "setting-owned")]
    [InlineData("full_page_writes", "off", "setting-owned")]
    [InlineData("include", "x.conf", "setting-owned")]
    [InlineData("work_memory", "4MB", "unknown-setting")]
    [InlineData("shared_buffers", "4GiB", "bad-setting")]
    [InlineData("shared_buffers", "much", "bad-setting")]
    [InlineData("shared_buffers", "5s", "bad-setting")]
    [InlineData("shared_buffers", "1kB", "bad-setting")]
    [InlineData("shared_buffers", "900MB", "too-large")]
    [InlineData("max_connections", "0", "bad-setting")]
    [InlineData("max_connections", "20MB", "bad-setting")]
    [InlineData("random_page_cost", "-1", "bad-setting")]
    [InlineData("jit", "perhaps", "bad-setting")]
    [InlineData("plan_cache_mode", "never", "bad-setting")]
    [InlineData("search_path", "a\nfsync = off", "bad-setting")]
    public void What_cannot_be_used_is_refused_with_its_words(string name, string value, string code)
    {
        var problem = Assert.Single(ClusterSettings.Judge(new Dictionary<string, string> { [name] = value }, Gigabyte, "databases.main.settings"));
        Assert.Equal((code, $"databases.main.settings.{name}"), (problem.Code, problem.Path));
        Assert.NotEmpty(problem.Fix);
        if (code != "too-large")
            Assert.NotEqual(value, ClusterSettings.Derive(Gigabyte, 0, new Dictionary<string, string> { [name] = value }).GetValueOrDefault(name));
    }

    [Theory]
    [InlineData("shared_buffers", "16384")]
    [InlineData("shared_buffers", "0.25GB")]
    [InlineData("log_min_duration_statement", "250ms")]
    [InlineData("log_min_duration_statement", "-1")]
    [InlineData("checkpoint_timeout", "15 min")]
    [InlineData("synchronous_commit", "remote_apply")]
    [InlineData("synchronous_commit", "true")]
    [InlineData("jit", "off")]
    [InlineData("default_transaction_isolation", "repeatable read")]
    [InlineData("auto_explain.log_min_duration", "3s")]
    [InlineData("TimeZone", "Europe/Berlin")]
    public void What_PostgreSQL_takes_is_taken(string name, string value) =>
        Assert.Empty(ClusterSettings.Judge(new Dictionary<string, string> { [name] = value }, Gigabyte, "settings"));

    [Fact]
    public void All_problems_are_told_at_once() =>
        Assert.Equal(3, ClusterSettings.Judge(new Dictionary<string, string> { ["port"] = "1", ["nothing"] = "1", ["jit"] = "x" }, Gigabyte, "settings").Count);

    [Theory]
    [InlineData("", false, "")]
    [InlineData("", true, "FIRST 1 (crew_archive)")]
    [InlineData("a", false, "ANY 1 (\"a\")")]
    [InlineData("a,b", false, "ANY 1 (\"a\", \"b\")")]
    [InlineData("a,b", true, "FIRST 3 (crew_archive, \"a\", \"b\")")]
    public void Who_confirms_a_commit_is_written_as_PostgreSQL_reads_it(string standbys, bool isArchive, string text) =>
        Assert.Equal(text, ClusterSettings.Confirming(standbys.Split(',', StringSplitOptions.RemoveEmptyEntries), isArchive));

    [Fact]
    public void A_verifier_is_of_its_password_alone()
    {
        var verifier = ScramVerifier.Make(new Secret("correct horse"));
        Assert.StartsWith("SCRAM-SHA-256$4096:", verifier, StringComparison.Ordinal);
        Assert.True(ScramVerifier.IsOf(new Secret("correct horse"), verifier));
        Assert.False(ScramVerifier.IsOf(new Secret("correct horsf"), verifier));
        Assert.False(ScramVerifier.IsOf(new Secret("correct horse"), null));
        Assert.False(ScramVerifier.IsOf(new Secret("correct horse"), "md5abc"));
        Assert.Throws<ArgumentException>(() => ScramVerifier.Make(new Secret("größe")));
    }
}
