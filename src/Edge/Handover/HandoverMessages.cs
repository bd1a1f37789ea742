using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>The first line of a connection to an edge's handover socket (docs/formats/handover.md).</summary>
/// <param name="Version">The version of the protocol.</param>
/// <param name="Ask">One of <see cref="Take"/>, <see cref="Report"/> and <see cref="State"/>.</param>
/// <param name="Process">Who asks.</param>
internal sealed record HandoverAsk(int Version, string Ask, ProcessIdentity? Process)
{
    public const int Current = 1;

    /// <summary>Give me the listening sockets.</summary>
    public const string Take = "take";

    /// <summary>I am leaving, and tell what I still use.</summary>
    public const string Report = "report";

    /// <summary>How are you?</summary>
    public const string State = "state";
}

/// <summary>The first line of an answer. With <see cref="Endpoints"/> come as many descriptors, in the same order.</summary>
/// <param name="Version">The version that the edge speaks.</param>
/// <param name="Process">The edge.</param>
/// <param name="Refused">Why the question is not answered; null when it is.</param>
/// <param name="Endpoints">What the sockets listen on.</param>
/// <param name="State">How it is.</param>
internal sealed record HandoverAnswer(
    int Version, ProcessIdentity? Process, string? Refused = null, IReadOnlyList<string>? Endpoints = null, HandoverState? State = null);

/// <summary>A further line of the new edge to the old.</summary>
/// <param name="Ready">It could accept at once.</param>
/// <param name="Generation">It serves this table now; the old one follows.</param>
internal sealed record HandoverWord(bool Ready = false, long Generation = 0);

/// <summary>A further line of the old edge to the new.</summary>
/// <param name="Left">It accepts nothing any more.</param>
/// <param name="Refused">Why it serves on instead.</param>
internal sealed record HandoverEnd(bool Left, string? Refused = null);

/// <summary>What an edge that is leaving still does. Immutable.</summary>
/// <param name="Generation">The table that it serves by.</param>
/// <param name="Targets">Every instance that has a request of it.</param>
/// <param name="Began">Requests that it had when it let go of the sockets, upgraded ones included.</param>
/// <param name="Requests">Those that it has now, upgraded ones included.</param>
/// <param name="Upgraded">How many of them are upgraded connections.</param>
/// <param name="Connections">Connections of clients that are still open.</param>
/// <param name="Took">How long it has been leaving.</param>
/// <param name="IsDone">Nothing is left.</param>
internal sealed record Farewell(
    long Generation, IReadOnlyList<DrainingTarget> Targets, int Began, int Requests, int Upgraded, int Connections, TimeSpan Took, bool IsDone);

/// <summary>How an edge and those that it replaced are. Immutable.</summary>
/// <param name="Process">The edge that has the sockets.</param>
/// <param name="Generation">The table that it serves.</param>
/// <param name="Requests">Requests that it carries now.</param>
/// <param name="Replaced">The edges that it replaced or heard of, newest last, gone ones included.</param>
public sealed record HandoverState(ProcessIdentity Process, long Generation, int Requests, IReadOnlyList<ReplacedEdge> Replaced);

/// <summary>An edge that was replaced. Immutable.</summary>
/// <param name="Process">Its process.</param>
/// <param name="Began">Requests that it had when it let go of the sockets.</param>
/// <param name="Requests">Requests that it still has, upgraded connections included.</param>
/// <param name="Upgraded">Upgraded connections that it still has.</param>
/// <param name="Took">How long it has been leaving, or took to.</param>
/// <param name="IsGone">Whether it has finished.</param>
public sealed record ReplacedEdge(ProcessIdentity Process, int Began, int Requests, int Upgraded, TimeSpan Took, bool IsGone);
