using Groundcrew.Deploys;
using Groundcrew.Daemon.Doors;
using Groundcrew.Journal;
using Groundcrew.Postgres;

namespace Groundcrew.Daemon.Wiring;

/// <summary>
/// Answers the room Postgres, which may not know of deployments: which services have a database's address, and stops, starts and
/// renews them. Each asks under a key made of the operation, so that a repeat after a crash does nothing twice. Thread-safe.
/// </summary>
internal sealed class DatabaseClients(Projects projects, Deployments deployments, Operations operations) : IDatabaseClients
{
    private const string Restored = "its database is restored";
    private static readonly Actor Asker = Actor.Platform("databases");

    public async Task<IReadOnlyList<string>> ListAsync(string org, IReadOnlyCollection<string> secrets, CancellationToken cancellation) =>
        [.. (await UsersAsync(org, secrets, cancellation)).Select(d => $"{d.Org}/{d.Project} in {d.Environment}")];

    public async Task<string?> StopAsync(string org, IReadOnlyCollection<string> secrets, Guid operation, Action<string> say, CancellationToken cancellation)
    {
        foreach (var user in await UsersAsync(org, secrets, cancellation))
        {
            var answer = await deployments.StopAsync(org, user.Project, user.Environment, Restored, Asker, KeyOf("stop", operation, user), cancellation);
            if (await EndAsync(answer, cancellation) is { } why)
                return $"{user.Org}/{user.Project} in {user.Environment} could not be stopped: {why}";
            say($"{user.Org}/{user.Project} in {user.Environment} is stopped");
        }
        return null;
    }

    public async Task<string?> StartAsync(string org, IReadOnlyCollection<string> secrets, Guid operation, Action<string> say, CancellationToken cancellation)
    {
        foreach (var user in await StoppedAsync(org, secrets, cancellation))
        {
            var answer = await deployments.RollbackAsync(
                org, user.Project, user.Environment, user.Label, "its database is back", Asker, KeyOf("start", operation, user), cancellation);
            if (answer is not RolloutAnswer.NothingToRollBack && await EndAsync(answer, cancellation) is { } why)
                return $"{user.Org}/{user.Project} in {user.Environment} does not start: {why}. Start it by hand: crew start {user.Org}/{user.Project} --environment {user.Environment}";
            say($"{user.Org}/{user.Project} in {user.Environment} is started");
        }
        return null;
    }

    public async Task<string?> RenewAsync(string org, IReadOnlyCollection<string> secrets, Guid operation, Action<string> say, CancellationToken cancellation)
    {
        foreach (var user in await UsersAsync(org, secrets, cancellation))
        {
            var again = Requested.Again(user, user.Environment);
            if (again.Value is not { } wanted)
                return $"{user.Org}/{user.Project} in {user.Environment} cannot be deployed again as it is: {again.Problems[0]}";
            var answer = await deployments.RestartAsync(wanted, Asker, $"databases/renew/{operation}/{user.Project}/{user.Environment}", cancellation);
            if (await EndAsync(answer, cancellation) is { } why)
                return $"{user.Org}/{user.Project} in {user.Environment} could not be renewed: {why}";
            say($"every instance of {user.Org}/{user.Project} in {user.Environment} has the address as it is now");
        }
        return null;
    }

    private static string KeyOf(string what, Guid operation, DeploymentInfo user) => $"databases/{what}/{operation}/{user.Label}";

    /// <summary>Waits for the end of what was begun; why it did not come to a good one, or null.</summary>
    private async Task<string?> EndAsync(RolloutAnswer answer, CancellationToken cancellation)
    {
        var begun = (answer as RolloutAnswer.Accepted)?.Deployment ?? (answer as RolloutAnswer.Replayed)?.Deployment;
        if (begun is null)
            return answer switch
            {
                RolloutAnswer.NothingToStop => null,
                RolloutAnswer.Busy busy => $"operation {busy.Holder.Id} moves it now",
                RolloutAnswer.Refused refused => string.Join("; ", refused.Problems),
                RolloutAnswer.NotFound missing => $"there is no {missing.What}",
                _ => "it was not accepted",
            };
        var ended = await operations.WaitForEndAsync(begun.Operation, cancellation);
        return ended?.Outcome == OutcomeKind.Succeeded ? null : ended?.Why ?? "its operation is not there any more";
    }

    private async Task<IReadOnlyList<DeploymentInfo>> UsersAsync(string org, IReadOnlyCollection<string> secrets, CancellationToken cancellation)
    {
        var users = new List<DeploymentInfo>();
        foreach (var project in await projects.ListAsync(int.MaxValue, null, cancellation, org))
        {
            // One environment at a time points at one of its deployments.
            var known = await deployments.ListAsync(org, project.Name, null, 1000, null, cancellation);
            foreach (var environment in known.Select(d => d.Environment).Distinct(StringComparer.Ordinal).ToList())
                if (await deployments.CurrentAsync(project.Id, environment, cancellation) is { } label && known.FirstOrDefault(d => d.Label == label) is { } current
                    && current.Settings.Secrets.Values.Any(secrets.Contains))
                    users.Add(current);
        }
        return users;
    }

    /// <summary>Those that were stopped for a restore, and that nobody started since.</summary>
    private async Task<IReadOnlyList<DeploymentInfo>> StoppedAsync(string org, IReadOnlyCollection<string> secrets, CancellationToken cancellation)
    {
        var stopped = new List<DeploymentInfo>();
        foreach (var project in await projects.ListAsync(int.MaxValue, null, cancellation, org))
            foreach (var environment in (await deployments.ListAsync(org, project.Name, null, 1000, null, cancellation)).GroupBy(d => d.Environment, StringComparer.Ordinal))
                if (environment.FirstOrDefault(d => d.Status is DeploymentStatus.Inactive or DeploymentStatus.Stopped && d.Settings.Secrets.Values.Any(secrets.Contains)
                        && d.Why == Restored) is { } last
                    && await deployments.CurrentAsync(project.Id, environment.Key, cancellation) is null)
                    stopped.Add(last);
        return stopped;
    }
}
