namespace Groundcrew.Contract;

/// <summary><c>POST /api/v1/projects/{org}/{project}/pause</c>: requests wait until traffic is resumed; an empty body means production.</summary>
/// <param name="Environment">The environment; <c>production</c> when left out.</param>
/// <param name="MaxWait">How long a request waits at most, such as <c>30s</c>, which it is when left out; after that it is answered 504.</param>
/// <param name="MaxWaiting">How many wait at most at one edge, 1000 when left out; what comes beyond is answered 503.</param>
public sealed record PauseRequest(string? Environment, string? MaxWait, int? MaxWaiting);

/// <summary><c>POST /api/v1/projects/{org}/{project}/close</c>: requests are answered 503 until traffic is resumed; an empty body means production.</summary>
/// <param name="Environment">The environment; <c>production</c> when left out.</param>
/// <param name="Message">What the public is told.</param>
public sealed record CloseRequest(string? Environment, string? Message);

/// <summary><c>POST /api/v1/projects/{org}/{project}/resume</c>: traffic passes again; an empty body means production.</summary>
/// <param name="Environment">The environment; <c>production</c> when left out.</param>
public sealed record ResumeRequest(string? Environment);

/// <summary><c>PUT /api/v1/projects/{org}/{project}/split</c>: replaces the split of an environment.</summary>
/// <param name="Environment">The environment; <c>production</c> when left out.</param>
/// <param name="Shares">Label to percent, 1 to 100, of deployments that run beside the current one, which takes the rest.</param>
public sealed record SplitRequest(string? Environment, IReadOnlyDictionary<string, int>? Shares);

/// <summary><c>POST /api/v1/maintenance</c> (ZM-111): the public is told to come back later. It begins now.</summary>
/// <param name="Org">Whose traffic; null for all organizations.</param>
/// <param name="Message">What the public is told; null for a plain sentence.</param>
/// <param name="RetryAfter">When clients may come again, such as <c>10m</c>; an hour when left out.</param>
/// <param name="RetryAfterIsRemaining">Whether they are told what is left until the end instead.</param>
/// <param name="Until">When it ends by itself: a time such as <c>2026-01-31T12:00:00Z</c>, or a duration from now such as <c>30m</c>.</param>
/// <param name="Exempt">Paths that are served all the same, beside health and metrics; <c>*</c> may stand at the end.</param>
public sealed record CreateMaintenance(
    string? Org, string? Message, string? RetryAfter, bool? RetryAfterIsRemaining, string? Until, IReadOnlyList<string>? Exempt);

/// <summary><c>POST /api/v1/deployments/{label}/drain</c>: its instances take no new requests; an empty body means all of them.</summary>
/// <param name="Instance">Only this instance.</param>
/// <param name="Deadline">How long requests in flight are waited for, such as <c>30s</c>, which it is when left out.</param>
/// <param name="Force">Whether an environment may be left without any instance that takes its traffic.</param>
/// <param name="WebSocketGrace">How long upgraded connections, such as WebSockets, are waited for; not at all when left out.</param>
public sealed record DrainRequest(Guid? Instance, string? Deadline, bool? Force, string? WebSocketGrace);

/// <summary><c>POST /api/v1/edge/nodes/{id}/drain</c>: what runs on a node, now or later, takes no new requests, and runs on.</summary>
/// <param name="Deadline">How long requests in flight are waited for, such as <c>30s</c>, which it is when left out.</param>
/// <param name="Force">Whether an environment may be left without any instance that takes its traffic.</param>
/// <param name="WebSocketGrace">How long upgraded connections, such as WebSockets, are waited for; not at all when left out.</param>
public sealed record DrainNodeRequest(string? Deadline, bool? Force, string? WebSocketGrace);

/// <summary><c>POST /api/v1/deployments/{label}/undrain</c>: its instances take requests again.</summary>
/// <param name="Instance">Only this instance.</param>
public sealed record UndrainRequest(Guid? Instance);
