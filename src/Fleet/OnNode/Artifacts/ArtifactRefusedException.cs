namespace Groundcrew.Fleet.OnNode;

/// <summary>An artifact that will never be right: fetching it again does not help.</summary>
internal sealed class ArtifactRefusedException(string message) : Exception(message);
