using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>
/// The rules between keys, after each key was judged alone. What was refused there is missing here, whatever its type
/// says: every rule takes what is left and says nothing about what is gone.
/// </summary>
internal static class SystemRules
{
    public static void Judge(SystemManifest manifest, Judgement judgement)
    {
        if (manifest.Services is null)
            return;
        foreach (var (name, service) in manifest.Services)
        {
            var path = $"services.{name}";
            JudgeLabels(name, service, manifest.Organization, path, judgement);
            JudgeSource(service, path, judgement);
            JudgeHealth(service.Health, $"{path}.health", judgement);
            JudgeVariables(service.Environment, service.Secrets, path, judgement);
            JudgeAddresses(service.Databases, service.Environment, service.Secrets, path, judgement);
            if (service.Edge is { } edge)
                EdgeRules.Judge(edge, $"{path}.edge", judgement);
            foreach (var (environment, over) in service.Environments)
            {
                JudgeVariables(over.Environment, over.Secrets, $"{path}.environments.{environment}", judgement);
                JudgeAddresses(over.Databases, over.Environment, over.Secrets, $"{path}.environments.{environment}", judgement);
                if (over.Edge is { } edgeThere)
                    EdgeRules.Judge(edgeThere, $"{path}.environments.{environment}.edge", judgement, above: $"{path}.edge");
            }
        }
        JudgeDomains(manifest.Services, judgement);
        foreach (var (name, database) in manifest.Databases)
            JudgeDatabase(name, database, judgement);
    }

    private static void JudgeDatabase(string name, DatabaseManifest database, Judgement judgement)
    {
        string[] known = database.Databases.Count > 0 ? [.. database.Databases] : [name.Replace('-', '_')];
        var path = $"databases.{name}";
        foreach (var (index, schedule) in (database.Schedules ?? []).Index())
            if (schedule.Database is { } wanted && !known.Contains(wanted))
                judgement.Refuse(ProblemKinds.UnknownDatabase, $"{path}.schedules[{index}].database", $"'{wanted}' is not a database of '{name}', which has {Words.And(known)}.");
        foreach (var (index, check) in database.Checks.Index())
            if (check.Database is { } wanted && !known.Contains(wanted))
                judgement.Refuse(ProblemKinds.UnknownDatabase, $"{path}.checks[{index}].database", $"'{wanted}' is not a database of '{name}', which has {Words.And(known)}.");
    }

    private static void JudgeAddresses(
        IReadOnlyDictionary<string, string> databases, IReadOnlyDictionary<string, string> plain, IReadOnlyDictionary<string, string> secrets, string path, Judgement judgement)
    {
        foreach (var name in databases.Keys.Where(n => plain.ContainsKey(n) || secrets.ContainsKey(n)))
            judgement.Refuse(ProblemKinds.VariableTwice, $"{path}.databases.{name}", $"'{name}' stands in '{(plain.ContainsKey(name) ? "environment" : "secrets")}' too.");
    }

    private static void JudgeLabels(string project, ServiceManifest service, string? organization, string path, Judgement judgement)
    {
        if (organization is null)
            return;
        // Production answers at <project>-<organization>, which is shorter than any deployment's own name.
        string[] middles = [new string('x', Ids.NanoLength), .. service.Environments.Keys.Where(e => e != SystemManifest.Production)];
        // One problem a place, about the longest: whoever mends it has mended the others.
        foreach (var place in middles.GroupBy(middle => judgement.Has($"{path}.environments.{middle}") ? $"{path}.environments.{middle}" : path))
            JudgeLabel($"{project}-{place.MaxBy(middle => middle.Length)}-{organization}", place.Key, judgement);
    }

    private static void JudgeLabel(string label, string path, Judgement judgement)
    {
        var over = label.Length - Slug.MaxLabelLength;
        if (over > 0)
            judgement.Refuse(ProblemKinds.LabelTooLong, path,
                $"The host name '{Words.Show(label, 130)}' has a part of {label.Length} characters, {over} more than the {Slug.MaxLabelLength} that DNS allows.",
                $"Shorten the names in it by {over} in all.");
    }

    private static void JudgeSource(ServiceManifest service, string path, Judgement judgement)
    {
        string[] packaged = ["build", "package", "exclude", "run"];
        if (!judgement.Has($"{path}.image"))
        {
            if (!judgement.Has($"{path}.run"))
                judgement.Refuse(ProblemKinds.MissingKey, $"{path}.run", "The key 'run' is missing, and there is no 'image'.", "Add it, such as 'run: ./hello'.");
            return;
        }
        foreach (var key in packaged.Where(key => judgement.Has($"{path}.{key}")))
            judgement.Refuse(ProblemKinds.ImageAndPackage, $"{path}.{key}", $"'{key}' stands beside 'image'.");
    }

    private static void JudgeHealth(HealthManifest health, string path, Judgement judgement)
    {
        if (health.Readiness is not { } readiness || health.Resolve(readiness).InitialDelay < health.Deadline)
            return;
        string[] causes = [$"{path}.readiness.initialDelay", $"{path}.initialDelay", $"{path}.deadline"];
        judgement.Refuse(ProblemKinds.NeverReady, causes.FirstOrDefault(judgement.Has) ?? path,
            $"The first readiness probe comes after {Quantity.Format(health.Resolve(readiness).InitialDelay)}, the deadline after {Quantity.Format(health.Deadline)}.");
    }

    private static void JudgeVariables(
        IReadOnlyDictionary<string, string> plain, IReadOnlyDictionary<string, string> secrets, string path, Judgement judgement)
    {
        foreach (var name in secrets.Keys.Where(plain.ContainsKey))
            judgement.Refuse(ProblemKinds.VariableTwice, $"{path}.secrets.{name}", $"'{name}' stands in 'environment' too.");
    }

    private static void JudgeDomains(IReadOnlyDictionary<string, ServiceManifest> services, Judgement judgement)
    {
        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, service) in services)
        {
            foreach (var environment in service.Environments.Keys.Prepend(SystemManifest.Production).Distinct())
            {
                var isOwn = service.Environments.GetValueOrDefault(environment)?.Domains is not null;
                var path = isOwn ? $"services.{name}.environments.{environment}.domains" : $"services.{name}.domains";
                foreach (var (index, domain) in service.DomainsIn(environment).Index())
                    if (!owners.TryAdd(domain, $"{name} in {environment}"))
                        judgement.Refuse(ProblemKinds.DomainTwice, $"{path}[{index}]", $"'{domain}' leads to {owners[domain]} already.");
            }
        }
    }
}
