using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>Judges a set of certificates whole, before anything of it serves. Pure.</summary>
internal static class CertificateSetJudge
{
    /// <summary>Characters of a host name, as it travels.</summary>
    public const int LongestName = 253;

    /// <summary>Everything that is wrong with it; empty when it may serve.</summary>
    public static IReadOnlyList<Problem> Judge(CertificateSet set)
    {
        var problems = new ProblemList();
        if (set.Generation < 1)
            problems.Add("bad-generation", "generation", $"{set.Generation} is not a generation.", "Count from 1.");
        if (set.Platform == Guid.Empty)
            problems.Add("missing", "platform", "The set does not say whose it is.", "Name the control plane's store.");
        if (set.Certificates is not { } certificates)
        {
            problems.Add("missing", "certificates", "There is no list of certificates.", "Send an empty one for none.");
            return problems.Problems;
        }
        var seen = new HashSet<Guid>();
        for (var i = 0; i < certificates.Count; i++)
            Judge(certificates[i], $"certificates[{i}]", seen, problems);
        return problems.Problems;
    }

    private static void Judge(CertificateReference? certificate, string path, HashSet<Guid> seen, ProblemList problems)
    {
        if (certificate is null)
        {
            problems.Add("missing", path, "There is nothing here.", "Leave it out.");
            return;
        }
        if (certificate.Id == Guid.Empty)
            problems.Add("missing", $"{path}.id", "The certificate has no id.", "Name the certificate.");
        else if (!seen.Add(certificate.Id))
            problems.Add("duplicate-certificate", $"{path}.id", $"{certificate.Id} stands here a second time.", "Name it once, with all its hosts.");
        if (certificate.Names is null)
            problems.Add("missing", $"{path}.names", "The certificate has no list of hosts.", "Name the hosts that it serves.");
        else if (certificate.Names.Any(n => string.IsNullOrWhiteSpace(n) || n.Length > LongestName))
            problems.Add("bad-host", $"{path}.names", "One of its hosts is empty or too long.", $"Use host names of at most {LongestName} characters.");
    }
}
