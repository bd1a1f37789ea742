namespace Groundcrew.Contract.Manifest;

/// <summary>How a program is started: a line for <c>/bin/sh -c "exec …"</c> or a list of words; exactly one is set. Immutable.</summary>
/// <param name="Line">The shell's line.</param>
/// <param name="Words">The program and its arguments, in which <c>${PORT}</c> and the other variables are replaced.</param>
public sealed record CommandManifest(string? Line, IReadOnlyList<string>? Words);
