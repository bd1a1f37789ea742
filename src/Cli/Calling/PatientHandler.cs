namespace Groundcrew.Cli.Calling;

/// <summary>
/// Repeats a request while a control plane that answered before is away, for a restart in the middle of a command is no
/// failure of the command. A repeated POST carries the same idempotency key, so it is answered and not done again.
/// </summary>
internal sealed class PatientHandler(TimeProvider clock, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <summary>How long a control plane may be away.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(60);

    /// <summary>From one try to the next.</summary>
    public static TimeSpan Pause { get; } = TimeSpan.FromMilliseconds(500);

    private bool _hasAnswered;

    /// <summary>Whether it waits; off for commands that only look.</summary>
    public bool IsPatient { get; set; }

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        while (true)
        {
            try
            {
                var response = await base.SendAsync(request, cancellationToken);
                _hasAnswered = true;
                return response;
            }
            catch (HttpRequestException) when (IsPatient && _hasAnswered && clock.GetElapsedTime(began) < Patience)
            {
                await Task.Delay(Pause, clock, cancellationToken);
            }
        }
    }
}
