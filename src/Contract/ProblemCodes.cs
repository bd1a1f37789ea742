namespace Groundcrew.Contract;

/// <summary>The codes of problem answers: stable, for programs, listed in the reference.</summary>
public static class ProblemCodes
{
    /// <summary>400: the input has problems, all of them listed.</summary>
    public const string BadInput = "bad-input";

    /// <summary>400: a token stood in the address, where logs keep it.</summary>
    public const string TokenInUrl = "token-in-url";

    /// <summary>401: no token, or one that is not known.</summary>
    public const string Unauthenticated = "unauthenticated";

    /// <summary>403: the token's role does not allow it.</summary>
    public const string Forbidden = "forbidden";

    /// <summary>404: there is no such thing.</summary>
    public const string NotFound = "not-found";

    /// <summary>409: another operation moves this project and environment.</summary>
    public const string OperationInProgress = "operation-in-progress";

    /// <summary>409: it is there already, or a name is taken.</summary>
    public const string Conflict = "conflict";

    /// <summary>409: there is nothing to go back to.</summary>
    public const string NothingToRollBack = "nothing-to-roll-back";

    /// <summary>409: an environment would be left without any instance that takes its traffic; only by force.</summary>
    public const string LastTargets = "last-targets";

    /// <summary>412: the settings changed since they were read.</summary>
    public const string Changed = "changed";

    /// <summary>413: too large.</summary>
    public const string TooLarge = "too-large";

    /// <summary>422: an uploaded artifact does not have the digest that it was sent under.</summary>
    public const string DigestMismatch = "digest-mismatch";

    /// <summary>422: the idempotency key was used for another request.</summary>
    public const string KeyReused = "idempotency-key-reused";

    /// <summary>503: no node can take the instances.</summary>
    public const string NoCapacity = "no-capacity";

    /// <summary>503: the store cannot be written.</summary>
    public const string StoreUnavailable = "store-unavailable";

    /// <summary>507: the disk is full.</summary>
    public const string InsufficientStorage = "insufficient-storage";

    /// <summary>500: a fault of ours; the request id finds it in the log.</summary>
    public const string Internal = "internal";
}
