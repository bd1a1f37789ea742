using System.ComponentModel;
using System.Diagnostics;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>Everything that one start needs.</summary>
internal sealed record LaunchPlan(
    InstanceSpec Spec, InstanceFolder Folder, string WorkingFolder, int Port, HeldLimits Limits, IReadOnlyDictionary<string, Secret> Secrets);

/// <summary>
/// Starts a program so that it outlives us: own session, no terminal, output appended to spool files. The chain
/// <c>setsid → sh → program</c> replaces itself by exec, so that the pid is the program's own. Secrets go by the
/// environment only, never by arguments.
/// </summary>
internal static class Launcher
{
    /// <summary>Exit code of the launcher when it could not prepare the start.</summary>
    public const int CannotPrepare = 125;

    // $1 folder, $2 stdout, $3 stderr, $4 KiB of data or "", $5 how many groups, then the groups, then the program.
    private const string Script =
        """
        exec </dev/null >>"$2" 2>>"$3" || exit 125
        cd "$1" || exit 125
        if [ -n "$4" ]; then ulimit -d "$4" || exit 125; fi
        n=$5; shift 5
        while [ "$n" -gt 0 ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; n=$((n-1)); done
        exec "$@"
        """;

    /// <summary>Starts it.</summary>
    /// <exception cref="IOException">It could not be started.</exception>
    public static Process Start(LaunchPlan plan, InstanceHostOptions options)
    {
        var start = new ProcessStartInfo("setsid") { UseShellExecute = false };
        start.Environment.Clear();
        foreach (var (name, value) in Environment(plan, options))
            start.Environment[name] = value;
        foreach (var word in Arguments(plan, start.Environment))
            start.ArgumentList.Add(word);
        try
        {
            return Process.Start(start) ?? throw new IOException("The program was not started.");
        }
        catch (Win32Exception e)
        {
            throw new IOException($"The program cannot be started: {e.Message}", e);
        }
    }

    /// <summary>
    /// The line for the shell. A simple command replaces the shell; a list or a pipe needs the shell to stay, and then
    /// the signal to the process group reaches what it runs.
    /// </summary>
    public static string ShellLine(string line)
    {
        var trimmed = line.Trim();
        var first = trimmed.Split([' ', '\t'], 2)[0];
        var isSimple = trimmed.IndexOfAny([';', '&', '|', '\n', '(', ')', '{', '}', '`', '#', '!']) < 0 && !first.Contains('=', StringComparison.Ordinal);
        return isSimple && first is not ("exec" or "cd" or "export" or "set" or "if" or "while" or "for" or "case" or "trap" or "." or ":") ? "exec " + trimmed : trimmed;
    }

    /// <summary>Replaces <c>${NAME}</c> by the variable; a name that is not there stays as it is.</summary>
    public static string Expand(string word, IDictionary<string, string?> variables)
    {
        var text = new System.Text.StringBuilder();
        var at = 0;
        while (word.IndexOf("${", at, StringComparison.Ordinal) is var start and >= 0
            && word.IndexOf('}', start) is var end and >= 0)
        {
            var name = word[(start + 2)..end];
            text.Append(word, at, start - at).Append(variables.TryGetValue(name, out var value) ? value : word[start..(end + 1)]);
            at = end + 1;
        }
        return text.Append(word, at, word.Length - at).ToString();
    }

    private static IEnumerable<string> Arguments(LaunchPlan plan, IDictionary<string, string?> environment)
    {
        string[] head =
        [
            "/bin/sh", "-c", Script, "crew-launch", plan.WorkingFolder,
            Path.Combine(plan.Folder.Spool, "stdout"), Path.Combine(plan.Folder.Spool, "stderr"),
            plan.Limits.DataLimit?.ToString() ?? "", plan.Limits.Folders.Count.ToString(), .. plan.Limits.Folders,
        ];
        // A secret in an argument could be read by every user of the machine: words see all variables but those.
        var open = environment.Where(v => !plan.Secrets.ContainsKey(v.Key)).ToDictionary(v => v.Key, v => v.Value);
        return plan.Spec.Run.Shell is { } line
            ? [.. head, "/bin/sh", "-c", ShellLine(line)]
            : [.. head, .. (plan.Spec.Run.Words ?? []).Select(w => Expand(w, open))];
    }

    private static Dictionary<string, string> Environment(LaunchPlan plan, InstanceHostOptions options)
    {
        var spec = plan.Spec;
        var variables = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["PATH"] = options.SearchPath,
            ["LANG"] = options.Language,
            ["TZ"] = options.TimeZone,
        };
        foreach (var (name, value) in spec.Variables)
            variables[name] = value;
        foreach (var (name, secret) in plan.Secrets)
            variables[name] = secret.Reveal();
        // Ours come last: a setting cannot move an instance to another port or take its marker away.
        variables["PORT"] = plan.Port.ToString();
        variables["HOST"] = "127.0.0.1";
        variables["INSTANCE_ID"] = spec.InstanceId.ToString();
        variables["INSTANCE_DIR"] = variables["TMPDIR"] = variables["HOME"] = plan.Folder.Scratch;
        variables["DEPLOYMENT"] = spec.Deployment;
        variables["PROJECT"] = spec.Project;
        variables["ORG"] = spec.Org;
        variables["ENVIRONMENT"] = spec.Environment;
        variables["REGION"] = spec.Region;
        variables[ProcessTable.Marker] = spec.InstanceId.ToString();
        return variables;
    }
}
