using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>What a node refuses to run, whatever the control plane says. Pure.</summary>
internal static class SpecRules
{
    /// <summary>Every problem of a spec.</summary>
    public static IReadOnlyList<Problem> Judge(InstanceSpec spec)
    {
        var problems = new ProblemList();
        if (spec.Run is null || (spec.Run.Shell is null) == (spec.Run.Words is null or { Count: 0 }))
            problems.Add("bad-run", "run", "A program is started by a shell line or by words, exactly one of them.", "Set either 'shell' or 'words'.");
        if (spec.Run?.Shell is { } line && string.IsNullOrWhiteSpace(line))
            problems.Add("bad-run", "run.shell", "The line is empty.", "Name the program to start.");
        foreach (var name in spec.Variables.Keys.Concat(spec.SecretVariables))
            if (name.Length == 0 || name.AsSpan().IndexOfAny('=', '\0') >= 0)
                problems.Add("bad-variable", "variables", $"'{name}' is no name of an environment variable.", "Leave out '=' and empty names.");
        foreach (var (name, value) in spec.Variables)
            if (value.Contains('\0', StringComparison.Ordinal))
                problems.Add("bad-variable", $"variables.{name}", "The value holds a zero character.", "Remove it.");
        foreach (var (name, probe) in new[] { ("liveness", spec.Liveness), ("readiness", spec.Readiness) })
            if (probe is not null && (!probe.Path.StartsWith('/') || probe.Timeout <= TimeSpan.Zero))
                problems.Add("bad-probe", name, "A probe has a path from '/' and a timeout above zero.", "Write it as path: /health, timeout: 2s.");
        return problems.Problems;
    }
}
