using Groundcrew.Bedrock;
using Groundcrew.Edge.Acme;
using Groundcrew.Journal;

namespace Groundcrew.Deploys;

/// <summary>Orders certificates of the authority that is set, one host at a time each. Thread-safe.</summary>
internal sealed class AcmeOrders(CertificateAuthorities authorities, EdgeChallenges challenges, TimeProvider clock) : IDisposable
{
    /// <summary>An authority that works takes seconds; one that queues takes minutes.</summary>
    private static readonly TimeSpan OrderLimit = TimeSpan.FromMinutes(10);

    private readonly SemaphoreSlim _registering = new(1, 1);

    /// <summary>
    /// Does a whole order. Whatever the authority, the way to it or the edges do is an outcome; throws
    /// <see cref="OperationCanceledException"/> when the caller gives up, and what the store throws.
    /// </summary>
    public async Task<CertificateOutcome> ObtainAsync(AuthoritySetting authority, string host, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(OrderLimit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        try
        {
            return await ObtainWithinAsync(authority, host, either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return Failed(AcmeProblem.TimedOutType, $"The order did not end within {Quantity.Format(OrderLimit)}.");
        }
        catch (AcmeException e)
        {
            return e.Problem.IsRateLimit ? new CertificateOutcome.RateLimited(e.Problem) : new CertificateOutcome.Failed(e.Problem);
        }
        catch (Exception e) when (e is not (OperationCanceledException or StoreFailedException or StoreBusyException) && !cancellation.IsCancellationRequested)
        {
            // Whatever is odd about one host is kept with it, and holds up no other.
            return Failed("urn:groundcrew:acme:not-done", e is AggregateException all ? $"{all.Message} {all.Flatten().InnerExceptions[0].Message}" : e.Message);
        }
    }

    public void Dispose() => _registering.Dispose();

    private async Task<CertificateOutcome> ObtainWithinAsync(AuthoritySetting authority, string host, CancellationToken cancellation)
    {
        using var handler = AcmeClient.NewHandler(authority.Roots);
        var (key, _) = await authorities.AccountAsync(authority.Directory!, cancellation);
        using var client = new AcmeClient(new Uri(authority.Directory!), key, handler, clock);
        await RegisterAsync(authority, client, cancellation);
        var outcome = await new CertificateOrder(client, challenges, clock).ObtainAsync([host], authority.Challenge, cancellation);
        // An authority that forgot us, as one that was made anew, is told again at the next attempt.
        if (outcome is CertificateOutcome.Failed { Problem.Type: AcmeProblem.NoAccountType })
            await authorities.RegisteredAsync(authority.Directory!, isRegistered: false, cancellation);
        return outcome;
    }

    /// <summary>Makes our account known to the authority: once, however many orders begin together.</summary>
    private async Task RegisterAsync(AuthoritySetting authority, AcmeClient client, CancellationToken cancellation)
    {
        await _registering.WaitAsync(cancellation);
        try
        {
            if ((await authorities.AccountAsync(authority.Directory!, cancellation)).IsRegistered)
                return;
            await client.RegisterAsync(new AcmeRegistration(authority.Contacts, authority.TermsAgreed, await authorities.ExternalAsync(cancellation)), cancellation);
            await authorities.RegisteredAsync(authority.Directory!, isRegistered: true, cancellation);
        }
        finally
        {
            _registering.Release();
        }
    }

    private static CertificateOutcome.Failed Failed(string type, string detail) => new(new AcmeProblem(type, detail));
}
