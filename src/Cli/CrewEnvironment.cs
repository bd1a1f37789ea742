using Groundcrew.Bedrock;

namespace Groundcrew.Cli;

/// <summary>What the surroundings of the command say; options win over it. The daemon reads it from its environment variables.</summary>
/// <param name="Url">The address of the control plane (<c>CREW_URL</c>).</param>
/// <param name="Token">A token for it (<c>CREW_TOKEN</c>).</param>
/// <param name="Data">The data folder (<c>CREW_DATA</c>).</param>
/// <param name="NoColor">Whether colours are unwanted (<c>NO_COLOR</c>).</param>
public sealed record CrewEnvironment(Uri? Url = null, Secret? Token = null, string? Data = null, bool NoColor = false);
