namespace Groundcrew.Postgres.OnNode;

/// <summary>The server refused, in its own words (ErrorResponse, "Message Formats" of PostgreSQL's documentation).</summary>
internal sealed class PgServerException(string sqlState, string severity, string words, string? detail = null, string? hint = null)
    : Exception($"{severity} {sqlState}: {words}{(detail is null ? "" : $" ({detail})")}{(hint is null ? "" : $" {hint}")}")
{
    /// <summary>No file of that name: a segment of the log that the server no longer has.</summary>
    public const string UndefinedFile = "58P01";

    /// <summary>Something named is not there, such as a slot.</summary>
    public const string UndefinedObject = "42704";

    /// <summary>Something is there already, such as a slot.</summary>
    public const string DuplicateObject = "42710";

    /// <summary>It is not in the state for it, such as a slot that was invalidated.</summary>
    public const string NotInPrerequisiteState = "55000";

    /// <summary>Somebody uses it.</summary>
    public const string ObjectInUse = "55006";

    /// <summary>The five characters that say what kind of error it is (appendix A of PostgreSQL's documentation).</summary>
    public string SqlState { get; } = sqlState;

    /// <summary>The message alone.</summary>
    public string Words { get; } = words;

    /// <summary>Whether role or password were refused.</summary>
    public bool IsLogin => SqlState.StartsWith("28", StringComparison.Ordinal);

    /// <summary>Whether the server ends, or is not ready yet.</summary>
    public bool IsShutdown => SqlState.StartsWith("57P0", StringComparison.Ordinal);
}

/// <summary>What came is not PostgreSQL's protocol, or the connection ended in the middle of it.</summary>
internal sealed class WireException(string message, Exception? cause = null) : IOException(message, cause);
