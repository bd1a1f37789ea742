using System.Net;
using System.Security.Cryptography;
using System.Text;
using Groundcrew.Contract;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>
/// Who may do what, and what nobody may read: tokens and secrets in no answer, log or file but their own (U-69, U-73, T-42,
/// T-43; invariants 11 and 12).
/// </summary>
public sealed class AccessJourneys(Platform platform) : IClassFixture<Platform>
{
    private static readonly string[] TokenFiles = ["control/admin.token", "node.token"];

    [Fact]
    public async Task A_role_or_an_organization_that_does_not_reach_is_refused_and_tells_nothing()
    {
        using var actor = new Actor("guarded");
        using var files = new TempFolder();
        var active = await platform.DeployAsync(actor.Write());

        using var nobody = platform.HttpAs(null);
        var unknown = await nobody.GetAsync(Relative("projects"), Platform.Token);
        Assert.Equal((HttpStatusCode.Unauthorized, "unauthenticated"), (unknown.StatusCode, (await Platform.ProblemAsync(unknown)).Code));

        var viewer = await TokenAsync("watcher", "viewer", "acme");
        var refused = Expect.Code(5, await platform.CrewAsync("deploy", actor.Folder, "--token-file", await FileAsync(files, "viewer", viewer)));
        Assert.Contains("viewer", refused.Error, StringComparison.Ordinal);

        var stranger = await TokenAsync("stranger", "deployer", "other");
        Expect.Code(5, await platform.CrewAsync("deploy", actor.Folder, "--token-file", await FileAsync(files, "stranger", stranger)));
        using var other = platform.HttpAs(stranger);
        Assert.Equal(HttpStatusCode.NotFound, (await other.GetAsync(Relative($"deployments/{active.Label}"), Platform.Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await other.GetAsync(Relative($"projects/{actor.Project}"), Platform.Token)).StatusCode);
        foreach (var list in (string[])["projects", "deployments", "instances", "routes", "operations"])
            Assert.Equal("[]", await other.GetStringAsync(Relative(list), Platform.Token));
        Assert.Equal(active.Label, (await platform.CurrentAsync(actor.Project)).Label);
        Assert.Equal(200, (await platform.GetAsync(actor.Host)).Status);
        Console.WriteLine("journey: roles and organizations");
    }

    [Fact]
    public async Task A_token_in_the_address_is_refused_and_no_token_or_secret_is_in_any_file()
    {
        var secret = "word-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));
        var viewer = await TokenAsync("in-the-address", "viewer", null);
        Expect.Ok(await CrewProgram.RunAsync(CrewProgram.File, ["secrets", "set", "acme", "the-word", "--data", platform.Data], secret));
        using var actor = new Actor("leaky") { More = "secrets: {WORD: the-word}" };
        var active = await platform.DeployAsync(actor.Write());

        using var nobody = platform.HttpAs(null);
        foreach (var address in (string[])[$"projects?token={viewer}", $"projects?access_token={viewer}", $"projects?q={viewer}"])
        {
            var refused = await nobody.GetAsync(Relative(address), Platform.Token);
            Assert.Equal((HttpStatusCode.BadRequest, "token-in-url"), (refused.StatusCode, (await Platform.ProblemAsync(refused)).Code));
        }
        // The program printed its secret: what is kept of that hides it.
        var logs = Expect.Ok(await platform.CrewAsync("logs", active.Label)).Out;
        Assert.Contains("its word is", logs, StringComparison.Ordinal);
        Assert.DoesNotContain(secret, logs, StringComparison.Ordinal);
        Assert.DoesNotContain(secret, Expect.Ok(await platform.CrewAsync("secrets", "list", "acme", "--json")).All, StringComparison.Ordinal);

        var hidden = new[] { secret, viewer, platform.AdminToken.Reveal(), (await File.ReadAllTextAsync(Path.Combine(platform.Data, "node.token"), Platform.Token)).Trim() };
        var read = 0;
        foreach (var file in Directory.EnumerateFiles(platform.Data, "*", SearchOption.AllDirectories))
        {
            // The spool is what the program itself writes to, unread yet: for the node's user alone, and gone with the instance.
            if (TokenFiles.Contains(Path.GetRelativePath(platform.Data, file)) || Path.GetFileName(Path.GetDirectoryName(file)) == "spool" || !TryRead(file, out var bytes))
                continue;
            read++;
            Assert.All(hidden, h => Assert.True(bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(h)) < 0, $"a token or secret stands in {file}"));
        }
        Assert.True(read > 10, "there were files to search");
        Assert.All(TokenFiles, f => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(platform.Data, f))));
        Console.WriteLine($"journey: no token or secret in any of {read} files");
    }

    private async Task<string> TokenAsync(string name, string role, string? org) =>
        (await platform.Client.PostAsync<NewTokenView>("tokens", new CreateToken(name, role, org, "1h"), Platform.Token)).Value;

    private static async Task<string> FileAsync(TempFolder folder, string name, string token)
    {
        await File.WriteAllTextAsync(folder[name], token, Platform.Token);
        return folder[name];
    }

    /// <summary>Files come and go while the platform runs.</summary>
    private static bool TryRead(string file, out byte[] bytes)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var memory = new MemoryStream();
            stream.CopyTo(memory);
            bytes = memory.ToArray();
            return true;
        }
        catch (IOException)
        {
            bytes = [];
            return false;
        }
    }

    private static Uri Relative(string path) => new(path, UriKind.Relative);
}
