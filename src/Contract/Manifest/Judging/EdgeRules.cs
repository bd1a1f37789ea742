using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>The rules between the keys of <c>edge</c>.</summary>
internal static class EdgeRules
{
    /// <summary>Judges one <c>edge</c>. Paths of <paramref name="above"/> are those that count here too, where this one says nothing.</summary>
    public static void Judge(EdgeManifest edge, string path, Judgement judgement, string? above = null)
    {
        if (edge.Breaker is { } breaker && breaker.OpenAtMost < breaker.OpenFor)
            judgement.Refuse(ProblemKinds.OutOfRange, judgement.Has($"{path}.breaker.openAtMost") ? $"{path}.breaker.openAtMost" : $"{path}.breaker.openFor",
                $"'openAtMost' of {Quantity.Format(breaker.OpenAtMost)} is less than 'openFor' of {Quantity.Format(breaker.OpenFor)}.", "Choose an openAtMost that is not less.");
        var namesTenant = judgement.Has($"{path}.tenantHeader") || (above is not null && judgement.Has($"{above}.tenantHeader"));
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (index, limit) in (edge.Limits ?? []).Index())
            JudgeLimit(limit, $"{path}.limits[{index}]", namesTenant, names, judgement);
        foreach (var (index, rule) in (edge.Cache ?? []).Index())
            if (rule is { For: EdgeCacheFor.Private, SharedMaxAge: not null })
                judgement.Refuse(ProblemKinds.PrivateShared, $"{path}.cache[{index}].sMaxAge", "The answers are for the client alone, and a time for shared caches is named.");
    }

    private static void JudgeLimit(EdgeLimitManifest limit, string path, bool namesTenant, HashSet<string> names, Judgement judgement)
    {
        if (limit.Name is { } name && !names.Add(name))
            judgement.Refuse(ProblemKinds.DuplicateKey, $"{path}.name", $"'{name}' is the name of an earlier limit.", "Give each limit its own name.");
        if (limit.By == EdgeLimitKey.Header && !judgement.Has($"{path}.header"))
            judgement.Refuse(ProblemKinds.MissingKey, $"{path}.header", "The key 'header' is missing: the limit counts by a header.", "Add it, such as 'header: X-Api-Key'.");
        if (limit is { Header: not null, By: not (null or EdgeLimitKey.Header) })
            judgement.Refuse(ProblemKinds.LimitHeader, $"{path}.header", $"The limit names a header, and counts by {limit.By.Value.ToString().ToLowerInvariant()}.");
        if (limit.By == EdgeLimitKey.Tenant && !namesTenant)
            judgement.Refuse(ProblemKinds.MissingKey, $"{path}.by", "The limit counts by tenant, and no 'tenantHeader' names the tenant.",
                "Add it to 'edge', such as 'tenantHeader: X-Tenant-Id'.");
    }
}
