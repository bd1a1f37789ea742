using System.CommandLine;

namespace Groundcrew.Cli.Calling;

/// <summary>The options of every verb.</summary>
internal sealed class SharedOptions
{
    public Option<string?> Data { get; } = new("--data")
    {
        Description = "The platform's data folder; its address and admin token are read there. Default: ~/.groundcrew",
        HelpName = "DIR", Recursive = true,
    };

    public Option<string?> Url { get; } = new("--url")
    {
        Description = "Another control plane, such as https://crew.acme.org.", HelpName = "URL", Recursive = true,
    };

    public Option<string?> TokenFile { get; } = new("--token-file")
    {
        Description = "The file that holds the token for it. A token is never an argument, for arguments are seen by others.",
        HelpName = "FILE", Recursive = true,
    };

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "stdout holds JSON only, as the API answers; words go to stderr.", Recursive = true,
    };

    public Option<bool> NoColor { get; } = new("--no-color") { Description = "No colours.", Recursive = true };

    public IEnumerable<Option> All => [Data, Url, TokenFile, Json, NoColor];
}
