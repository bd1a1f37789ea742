namespace Groundcrew.Journal;

/// <summary>What somebody may do on the platform (U-69, T-43). Each of the first four may do what those before it may.</summary>
public enum Role
{
    /// <summary>Sees everything but secrets.</summary>
    Viewer,

    /// <summary>Ships and rolls back versions.</summary>
    Deployer,

    /// <summary>Acts in incidents: scales, drains, pauses, restores.</summary>
    OnCall,

    /// <summary>Changes settings, people and secrets.</summary>
    Admin,

    /// <summary>A machine on the fleet's link; may do nothing else, and nobody else may do this.</summary>
    Node,
}

/// <summary>Who does something. Immutable.</summary>
/// <param name="Id">Stable, such as the id of a token.</param>
/// <param name="Name">For people.</param>
/// <param name="Role">What may be done.</param>
/// <param name="Org">The only organization where; null for all and for the platform itself.</param>
public sealed record Actor(string Id, string Name, Role Role, string? Org)
{
    /// <summary>The platform itself, such as a loop that rolls back.</summary>
    public static Actor Platform(string name) => new($"platform:{name}", name, Role.Admin, null);

    /// <summary>
    /// Whether this actor may do what needs <paramref name="needed"/> in <paramref name="org"/>; null asks about the
    /// platform as a whole, where a member of one organization has no say.
    /// </summary>
    public bool Allows(Role needed, string? org)
    {
        if (needed == Role.Node || Role == Role.Node)
            return needed == Role;
        return Role >= needed && (Org is null || Org == org);
    }
}
