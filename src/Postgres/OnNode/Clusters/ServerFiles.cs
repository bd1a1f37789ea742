using System.Text;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>The files of a data folder that are ours, whole. Written durably, and the server's user's own, since its tools replace them. Thread-safe.</summary>
internal sealed class ServerFiles(string dataFolder, ServerUser user)
{
    private const string Header = "# Written by Groundcrew; changes are lost.\n";
    private const string Include = Header + "include_if_exists = 'crew.conf'\n";

    /// <summary>Who may connect.</summary>
    public string AccessFile => Path.Combine(dataFolder, "pg_hba.conf");

    /// <summary>Which user of the system is which role.</summary>
    public string IdentFile => Path.Combine(dataFolder, "pg_ident.conf");

    private string SettingsFile => Path.Combine(dataFolder, "crew.conf");

    /// <summary>The major version of the folder; null when it holds no cluster.</summary>
    public string? Version
    {
        get
        {
            var file = Path.Combine(dataFolder, "PG_VERSION");
            return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
        }
    }

    /// <summary>Whether the server follows another.</summary>
    public bool IsStandby => File.Exists(StandbyMark);

    private string StandbyMark => Path.Combine(dataFolder, "standby.signal");

    /// <summary>Makes it follow another.</summary>
    public void MarkStandby() => Write(StandbyMark, "");

    /// <summary>Writes what every server needs, and what is missing of the rest: a restored folder brings its own, a copied one another machine's.</summary>
    public void WriteAll()
    {
        Write(Path.Combine(dataFolder, "postgresql.conf"), Include);
        Write(IdentFile, $"{Header}crew root {PgServer.Superuser}\ncrew {user.Name} {PgServer.Superuser}\n");
        if (!File.Exists(SettingsFile))
            WriteSettings(new Dictionary<string, string>());
        if (!File.Exists(AccessFile) || !File.ReadAllText(AccessFile).StartsWith(Header, StringComparison.Ordinal))
            WriteAccess([]);
    }

    /// <summary>Writes settings; nothing listens that they do not name.</summary>
    public void WriteSettings(IReadOnlyDictionary<string, string> settings)
    {
        var text = new StringBuilder(Header);
        if (!settings.ContainsKey("listen_addresses"))
            text.Append("listen_addresses = ''\n");
        foreach (var (name, value) in settings.OrderBy(s => s.Key, StringComparer.Ordinal))
            text.Append(name).Append(" = ").Append(Quoted(value)).Append('\n');
        Write(SettingsFile, text.ToString());
    }

    /// <summary>Writes who may connect: the platform over the socket, passwords from the given networks, nobody else.</summary>
    public void WriteAccess(IReadOnlyList<string> networks)
    {
        var text = new StringBuilder(Header)
            .Append($"local all {PgServer.Superuser} peer map=crew\n")
            .Append($"local replication {PgServer.Superuser} peer map=crew\n");
        foreach (var network in networks)
            text.Append($"host all all {network} scram-sha-256\nhost replication crew_replica {network} scram-sha-256\n");
        Write(AccessFile, text.ToString());
    }

    /// <summary>A value as <c>postgresql.conf</c> wants it: in quotes, with those inside doubled, and backslashes too, which would begin an escape.</summary>
    private static string Quoted(string value) => value.IndexOfAny(['\n', '\r', '\0']) >= 0
        ? throw new ArgumentException("A setting has one line.", nameof(value))
        : $"'{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'";

    private void Write(string path, string text)
    {
        if (File.Exists(path) && File.ReadAllText(path) == text)
            return;
        DurableFiles.Real.Replace(path, text);
        user.Own(path);
    }
}
