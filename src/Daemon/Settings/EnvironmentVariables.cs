using Groundcrew.Bedrock;
using Groundcrew.Cli;

namespace Groundcrew.Daemon.Settings;

/// <summary>The one place where environment variables are read.</summary>
internal static class EnvironmentVariables
{
#pragma warning disable RS0030 // This is the settings folder that the ban points to.
    public static CrewEnvironment Read() => new(
        Url: Uri.TryCreate(Environment.GetEnvironmentVariable("CREW_URL"), UriKind.Absolute, out var url) ? url : null,
        Token: Environment.GetEnvironmentVariable("CREW_TOKEN") is { Length: > 0 } token ? new Secret(token) : null,
        Data: Environment.GetEnvironmentVariable("CREW_DATA") is { Length: > 0 } data ? data : null,
        NoColor: Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 });
#pragma warning restore RS0030
}
