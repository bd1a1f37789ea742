using Groundcrew.Bedrock;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Calling;

/// <summary>Which control plane a command speaks to, and with which token.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Token">The token; null where none is known, which is fine for a platform that trusts this machine.</param>
internal sealed record Connection(Uri Address, Secret? Token)
{
    /// <summary>
    /// Options win over the surroundings, and the surroundings over the data folder. The admin token of a data folder
    /// goes to that folder's own platform only, never to an address that someone named.
    /// </summary>
    public static Connection Of(System.CommandLine.ParseResult parsed, CrewRoot root)
    {
        var fromFile = parsed.GetValue(root.Shared.TokenFile) is { } file ? ReadToken(file) : null;
        var namesFolder = parsed.GetValue(root.Shared.Data) is not null;
        if (UrlOf(parsed, root, namesFolder) is { } url)
            return new Connection(url, fromFile ?? root.Environment.Token);
        var folder = root.DataFolder(parsed);
        var platform = PlatformFile.Read(folder)
            ?? throw new CrewFailedException(ExitCode.Unreachable,
                $"There is no platform in {folder}. Start one with 'crew up', or name another folder with --data or another control plane with --url.");
        return new Connection(new Uri($"http://127.0.0.1:{platform.ControlPort}/"), fromFile ?? TokenOf(folder, namesFolder ? null : root.Environment.Token) ?? root.Environment.Token);
    }

    private static Uri? UrlOf(System.CommandLine.ParseResult parsed, CrewRoot root, bool namesFolder)
    {
        if (parsed.GetValue(root.Shared.Url) is not { } text)
            return namesFolder ? null : WithSlash(root.Environment.Url);
        return Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.UserInfo.Length == 0
            ? WithSlash(url)
            : throw new CrewFailedException(ExitCode.Usage, $"'{text}' is not the address of a control plane. Use one such as https://crew.acme.org.");
    }

    private static Uri? WithSlash(Uri? url) => url is null || url.AbsoluteUri.EndsWith('/') ? url : new Uri(url.AbsoluteUri + "/");

    private static Secret? TokenOf(string folder, Secret? instead)
    {
        var path = PlatformFile.AdminTokenOf(folder);
        return instead ?? (File.Exists(path) ? ReadToken(path) : null);
    }

    private static Secret ReadToken(string file)
    {
        try
        {
            return File.ReadAllText(file).Trim() is { Length: > 0 } token && !token.Any(char.IsControl)
                ? new Secret(token)
                : throw new CrewFailedException(ExitCode.NotAllowed, $"{file} holds no token. Put one token into it: crew tokens create.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CrewFailedException(ExitCode.NotAllowed, $"The token in {file} cannot be read: {e.Message} Name a file that you may read with --token-file.");
        }
    }
}
