using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet;

/// <summary>What a member of the fleet is for.</summary>
public enum NodeRole
{
    /// <summary>Runs instances (the agent).</summary>
    Worker,

    /// <summary>Carries traffic.</summary>
    Edge,
}

/// <summary>
/// One thing that a node should make so: level-triggered, idempotent, known by its key. A newer generation replaces an
/// older one; an older one is refused. A key that is missing from a later list is left as it is: only a task ends things.
/// </summary>
/// <param name="Key">Unique on the node, such as an instance id, or <c>routes</c>.</param>
/// <param name="Kind">Which handler takes it, such as <c>instance</c>.</param>
/// <param name="Generation">Grows with each change of this key.</param>
/// <param name="Payload">The wanted state, in the handler's own shape.</param>
public sealed record NodeTask(string Key, string Kind, long Generation, JsonElement Payload);

/// <summary>What a node observes for one key: the latest replaces the earlier.</summary>
/// <param name="Key">The task's key.</param>
/// <param name="Generation">The generation that the status is about.</param>
/// <param name="Status">The observed state, in the handler's own shape.</param>
public sealed record TaskReport(string Key, long Generation, JsonElement Status);

/// <summary>What a machine has to give.</summary>
/// <param name="Millicores">Processors, in thousandths.</param>
/// <param name="MemoryBytes">Memory.</param>
public sealed record NodeCapacity(int Millicores, long MemoryBytes);

/// <summary>The first words of a node on the link: <c>POST /link/v1/hello</c>.</summary>
/// <param name="Hostname">The machine; unique together with the role.</param>
/// <param name="Role">What the member is for.</param>
/// <param name="Region">The region's code.</param>
/// <param name="Capacity">What it has.</param>
/// <param name="Version">The program's version.</param>
public sealed record LinkHello(string Hostname, NodeRole Role, string Region, NodeCapacity Capacity, string Version);

/// <summary>The answer to <see cref="LinkHello"/>.</summary>
/// <param name="NodeId">Who the node is from now on; stable for hostname and role.</param>
/// <param name="Platform">The id of this control plane's store. A node keeps the first it met and refuses any other.</param>
public sealed record LinkWelcome(Guid NodeId, Guid Platform);

/// <summary>
/// The answer to <c>GET /link/v1/nodes/{id}/tasks?after=R&amp;wait=25s</c>: every task of the node, whole, as soon as the
/// revision is beyond R or a stream is asked for; 204 when the wait passed first.
/// </summary>
/// <param name="Revision">Grows with every change of any task of this node.</param>
/// <param name="Platform">As in <see cref="LinkWelcome"/>.</param>
/// <param name="Tasks">All of them.</param>
/// <param name="Streams">What the control plane wants to read now; each is named once.</param>
public sealed record LinkTasks(long Revision, Guid Platform, IReadOnlyList<NodeTask> Tasks, IReadOnlyList<StreamRequest> Streams);

/// <summary>Asks a node to send bytes: it answers with a chunked <c>POST /link/v1/streams/{id}</c>.</summary>
/// <param name="Id">One request.</param>
/// <param name="Kind">Which source, such as <c>logs</c>.</param>
/// <param name="Payload">The question, in the source's own shape.</param>
public sealed record StreamRequest(Guid Id, string Kind, JsonElement Payload);

/// <summary>
/// <c>POST /link/v1/nodes/{id}/reports</c>: sent at every change (coalesced by key) and, empty, as the heartbeat.
/// </summary>
/// <param name="Reports">The latest for each changed key; all of them after a reconnect.</param>
public sealed record LinkReports(IReadOnlyList<TaskReport> Reports);

/// <summary>
/// <c>POST /link/v1/nodes/{id}/secrets</c>: the node asks for the secrets of an instance that it was given.
/// The answer maps names of environment variables to values.
/// </summary>
/// <param name="InstanceId">The instance.</param>
public sealed record SecretsQuestion(Guid InstanceId);

/// <summary>
/// <c>POST /link/v1/nodes/{id}/cluster-secrets</c>: the node asks for the secrets of a database cluster of which it has a
/// server or a job. The answer maps their names to values.
/// </summary>
/// <param name="ClusterId">The cluster.</param>
public sealed record ClusterSecretsQuestion(Guid ClusterId);

/// <summary>
/// <c>POST /link/v1/nodes/{id}/certificates</c>: an edge asks for certificates that it was named and has not. The answer
/// is a list of <see cref="CertificateMaterial"/>; one that is not there any more is left out of it.
/// </summary>
/// <param name="Ids">Which ones, at most <see cref="MaxIds"/>.</param>
public sealed record CertificatesQuestion(IReadOnlyList<Guid> Ids)
{
    /// <summary>How many may be asked for at once.</summary>
    public const int MaxIds = 100;
}

/// <summary>A certificate with its key, on its way to an edge.</summary>
/// <param name="Id">The certificate.</param>
/// <param name="Chain">PEM: the certificate and those above it.</param>
/// <param name="Key">PEM: its private key. Written into the answer opened, and nowhere else.</param>
public sealed record CertificateMaterial(Guid Id, string Chain, Secret Key);
