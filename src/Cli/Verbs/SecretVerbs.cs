using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew secrets</c>: names and versions; a value goes in and never comes out (invariant 11).</summary>
internal static class SecretVerbs
{
    private const int MostCharacters = 64 * 1024;

    public static Verb Of(CrewRoot root)
    {
        var (org, name, file, yes) = (Args.Word("ORG", "The organization."), Args.Word("NAME", "The name that manifests refer to."),
            Args.Text("--from-file", "FILE", "The file that holds the value"), Args.Yes());
        return new Verb("secrets", "List, set or delete the secrets of an organization. Values are never shown.",
            "crew secrets list acme", "crew secrets set acme db-password", "printf %s \"$VALUE\" | crew secrets set acme db-password", "crew secrets delete acme db-password --yes")
        { Group = Groups.Access }
            .With(
                new Verb("list", "List names and versions.").With(org).Does(root, call => ListAsync(call, call.Value(org))),
                new Verb("set", "Set a value: typed unseen, piped in, or from a file. One newline at its end is left off.").With(org, name, file).Does(root, async call =>
                {
                    var value = Read(call, call.Value(file));
                    var set = await call.Client.PutAsync<SecretView>(PathOf(call.Value(org), call.Value(name)), new SetSecret(value), call.Cancellation);
                    return call.Show(set, s => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {s.Org}/{s.Name} is set, version {s.Version}. Instances that start from now on get it."));
                }),
                new Verb("delete", "Delete a secret.").With(org, name, yes).Does(root, async call =>
                {
                    call.Confirm(call.Value(yes), $"Secret {call.Value(name)} of {call.Value(org)} is deleted; deploys that need it are refused.", call.Value(name));
                    await call.Client.DeleteAsync(PathOf(call.Value(org), call.Value(name)), call.Cancellation);
                    call.Words.Line($"{call.Words.Ink.Of(Tone.Good, "✓")} {call.Value(org)}/{call.Value(name)} is deleted");
                    return ExitCode.Ok;
                }));
    }

    private static string PathOf(string org, string name) => $"secrets/{Args.Escape(org)}/{Args.Escape(name)}";

    private static async Task<ExitCode> ListAsync(Call call, string org) => call.List(
        (await call.GetAsync<SecretView[]>($"secrets/{Args.Escape(org)}")).OrderBy(s => s.Name, StringComparer.Ordinal).ToArray(), $"No secrets yet. Set one: crew secrets set {org} NAME", list =>
        {
            var table = new Listing(new("SECRET"), new("VERSION", IsNumber: true), new("SET"));
            foreach (var s in list)
                table.Add(s.Name, s.Version, Text.Ago(s.UpdatedAt, call.Now));
            return table;
        });

    private static string Read(Call call, string? file)
    {
        var terminal = call.Root.Terminal;
        string? value;
        if (file is not null)
        {
            using var reader = new StreamReader(file);
            value = ReadAll(reader);
        }
        else if (!terminal.InIsTerminal)
            value = ReadAll(terminal.In);
        else
        {
            terminal.Error.Write("Value (not shown): ");
            value = terminal.ReadHidden();
            terminal.Error.WriteLine();
        }
        return value is { Length: > 0 } ? value : throw new CrewFailedException(ExitCode.Usage, "No value was given; nothing was set. Type it, pipe it in, or name a file with --from-file.");
    }

    private static string ReadAll(TextReader reader)
    {
        var buffer = new char[MostCharacters + 2];
        var length = reader.ReadBlock(buffer);
        if (length > MostCharacters + 1)
            throw new CrewFailedException(ExitCode.Refused, $"The value is longer than {MostCharacters / 1024} KiB; nothing was set. Keep large files in the package.");
        var text = new string(buffer, 0, length);
        return text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
    }
}
