using System.CommandLine;

namespace Groundcrew.Cli.Verbs;

/// <summary>A project as people name it.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
internal sealed record ProjectName(string Org, string Project)
{
    /// <summary>Below <c>/api/v1/</c>.</summary>
    public string Path => $"projects/{Uri.EscapeDataString(Org)}/{Uri.EscapeDataString(Project)}";

    public override string ToString() => $"{Org}/{Project}";

    public static ProjectName? Parse(string text) =>
        text.Split('/') is [{ Length: > 0 } org, { Length: > 0 } project] ? new ProjectName(org, project) : null;
}

/// <summary>Arguments and options that several verbs have.</summary>
internal static class Args
{
    public static Argument<ProjectName> Project() => new("ORG/PROJECT")
    {
        Description = "The project, such as acme/web.",
        CustomParser = result =>
        {
            if (ProjectName.Parse(result.Tokens[0].Value) is { } name)
                return name;
            result.AddError($"'{result.Tokens[0].Value}' is not a project. Write it as ORG/PROJECT, such as acme/web; 'crew projects' lists them.");
            return null!;
        },
    };

    public static Argument<ProjectName?> MaybeProject() => new("ORG/PROJECT")
    {
        Description = "Only of this project.",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result =>
        {
            if (result.Tokens.Count == 0)
                return null;
            if (ProjectName.Parse(result.Tokens[0].Value) is { } name)
                return name;
            result.AddError($"'{result.Tokens[0].Value}' is not a project. Write it as ORG/PROJECT, such as acme/web; 'crew projects' lists them.");
            return null;
        },
    };

    public static Argument<string> Word(string name, string description) => new(name) { Description = description };

    public static Option<string?> Text(string name, string value, string description) => new(name) { Description = description, HelpName = value };

    public static Option<string?> Environment() => Text("--environment", "NAME", "The environment. Default: production");

    public static Option<bool> Yes() => new("--yes") { Description = "Do it without asking." };

    public static Option<bool> Wait() => new("--wait")
    {
        Description = "Wait for the end; '--wait false' returns once it is accepted.", DefaultValueFactory = _ => true,
    };

    public static Option<int> Limit() => new("--limit")
    {
        Description = "At most so many, the newest.", HelpName = "N", DefaultValueFactory = _ => 50,
    };

    public static string Escape(string part) => Uri.EscapeDataString(part);
}
