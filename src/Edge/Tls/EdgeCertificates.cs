using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// The certificates that serve, by the name that a client asks for. They are kept sealed on the disk, so that the edge
/// serves TLS with everything else dead (invariant 7), and made ready before they serve. Thread-safe: handshakes read
/// one reference and take no lock; sets are applied one at a time.
/// </summary>
public sealed class EdgeCertificates
{
    private readonly Lock _applying = new();
    private readonly CertificateFiles _files;
    private readonly Metric _notAfter;
    private readonly TimeProvider _clock;
    private readonly Dictionary<Guid, string> _unopened = [];
    private readonly Dictionary<Guid, KeyedCertificate> _unkept = [];
    private string? _diskFailure;
    private CertificateTable _current = CertificateTable.Empty;
    private CertificatesState _state = new(0, 0, 0, [], null);

    /// <summary>
    /// Loads the last certificates of the state folder. Files that cannot be used are set aside with the ending
    /// <c>.bad</c> and raised as an urgent signal <c>edge-certificates-unreadable</c>; the others serve.
    /// </summary>
    public EdgeCertificates(EdgeOptions options, DurableFiles files, MetricRegistry metrics, ISignals signals, TimeProvider clock)
    {
        _clock = clock;
        _files = new CertificateFiles(options.StateFolder, files);
        _notAfter = metrics.Gauge("groundcrew_edge_certificate_not_after_timestamp_seconds",
            "When the certificate that is served for a name ends, in seconds since 1970 (ZZ-33).", "name");
        metrics.Observe("groundcrew_edge_certificates_generation", "The generation of the certificates that are served whole; 0 when there are none.", () => State.Serving);
        Load(signals);
    }

    /// <summary>Fires whenever <see cref="State"/> became another.</summary>
    public Nudge Changed { get; } = new();

    /// <summary>What is served, as of the last change.</summary>
    public CertificatesState State => Volatile.Read(ref _state);

    /// <summary>The certificates that serve.</summary>
    internal CertificateTable Current => Volatile.Read(ref _current);

    /// <summary>
    /// Judges a set and serves it, with those of its certificates that are held or came with it: one that is missing
    /// holds no other back, and for its names the certificate before serves on. Call it again with what was fetched of
    /// <see cref="CertificatesState.Missing"/>, and after <see cref="ApplyOutcome.NotKept"/>: certificates serve although
    /// the disk did not take them. Blocks for disk and processor; never throws for a bad set, certificate or disk.
    /// </summary>
    /// <param name="set">What is to be served. An older one, and one of another platform, is refused.</param>
    /// <param name="fetched">Certificates of it, by their ids; what the set does not name is left out.</param>
    public ApplyOutcome Apply(CertificateSet set, IReadOnlyDictionary<Guid, KeyedCertificate> fetched)
    {
        lock (_applying)
        {
            if (CertificateSetJudge.Judge(set) is { Count: > 0 } problems)
                return new ApplyOutcome.RefusedProblems(problems);
            if (Refusal(set) is { } refusal)
                return refusal;
            var isNew = set.Generation != _current.Generation;
            var (held, opened) = Open(set, fetched);
            if (!isNew && opened == 0 && _diskFailure is null)
            {
                Tell();
                return new ApplyOutcome.SameAlready(set.Generation);
            }
            var next = _current.Next(set, held);
            Keep(next);
            Swap(next);
            return _diskFailure is { } failure ? new ApplyOutcome.NotKept(failure) : new ApplyOutcome.Applied(set.Generation);
        }
    }

    /// <summary>Serves what is on the disk when that is newer: what the edge that this one took over from applied last.</summary>
    /// <exception cref="InvalidDataException">The file holds no whole set; what was loaded serves on.</exception>
    /// <exception cref="IOException">The disk does not give it; what was loaded serves on.</exception>
    internal void Follow()
    {
        lock (_applying)
            if (_files.ReadSet() is { } kept && kept.Set.Generation >= _current.Generation)
                Swap(new CertificateTable(kept, Read(kept, [])));
    }

    private ApplyOutcome? Refusal(CertificateSet set)
    {
        if (_current.Set is not { } current)
            return null;
        if (set.Platform != current.Platform)
            return new ApplyOutcome.RefusedOtherPlatform(current.Platform);
        if (set.Generation < current.Generation)
            return new ApplyOutcome.RefusedOlder(current.Generation);
        return set.Generation > current.Generation || CertificateFiles.IsSame(set, current)
            ? null
            : new ApplyOutcome.RefusedProblems([new Problem("generation-used", "generation",
                $"Another set of generation {current.Generation} serves.", "Give every change its own generation.")]);
    }

    private (Dictionary<Guid, ServedCertificate> Held, int Opened) Open(CertificateSet set, IReadOnlyDictionary<Guid, KeyedCertificate> fetched)
    {
        var held = new Dictionary<Guid, ServedCertificate>();
        var opened = 0;
        _unopened.Clear();
        foreach (var id in set.Certificates.Select(c => c.Id))
        {
            if (_current.Held.TryGetValue(id, out var known))
                held[id] = known;
            else if (fetched.TryGetValue(id, out var keyed))
            {
                try
                {
                    held[id] = ServedCertificate.Open(keyed);
                    (_unkept[id], opened) = (keyed, opened + 1);
                }
                catch (InvalidDataException e)
                {
                    _unopened[id] = e.Message;
                }
            }
        }
        return (held, opened);
    }

    /// <summary>Certificates before the set that names them, so that a crash in between loses nothing.</summary>
    private void Keep(CertificateTable next)
    {
        _diskFailure = null;
        foreach (var id in _unkept.Keys.Where(id => !next.Held.ContainsKey(id)).ToList())
            _unkept.Remove(id);
        try
        {
            foreach (var (id, keyed) in _unkept.ToList())
            {
                _files.Keep(id, keyed);
                _unkept.Remove(id);
            }
            _files.Keep(next.Kept);
            _files.DeleteAllBut(next.Held.Keys);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            _diskFailure = e.Message;
        }
    }

    private void Swap(CertificateTable next)
    {
        var before = _current;
        Volatile.Write(ref _current, next);
        foreach (var (name, certificate) in next.Served)
            _notAfter.With(name).Set(certificate.Info.NotAfter.ToUnixTimeSeconds());
        foreach (var name in before.Served.Keys.Where(n => !next.Served.ContainsKey(n)))
            _notAfter.Remove("name", name);
        Tell();
    }

    private void Tell()
    {
        var serving = _current.Missing.Count == 0 && _diskFailure is null ? _current.Generation : _state.Serving;
        var state = new CertificatesState(_current.Generation, serving, _current.Held.Count, _current.Missing, Problem());
        if (state with { Missing = _state.Missing } == _state && state.Missing.SequenceEqual(_state.Missing))
            return;
        Volatile.Write(ref _state, state);
        Changed.Set();
    }

    private string? Problem()
    {
        const int most = 5;
        var words = _current.Missing.Take(most)
            .Select(id => _unopened.TryGetValue(id, out var why) ? $"certificate {id} cannot be opened: {why}" : $"certificate {id} is not here yet")
            .Concat(_current.NotCovered.Take(most).Select(n => $"certificate {n.Id} is not for {n.Name}, which the set gives it"))
            .ToList();
        if (_current.Missing.Count > most)
            words.Add($"{_current.Missing.Count - most} more are not here");
        if (_diskFailure is { } failure)
            words.Add($"they could not be kept on disk ({failure}) and would be missing after a restart");
        return words.Count == 0 ? null : string.Join("; ", words);
    }

    private void Load(ISignals signals)
    {
        var bad = new List<string>();
        try
        {
            if (_files.ReadSet() is { } kept)
                Swap(new CertificateTable(kept, Read(kept, bad)));
        }
        catch (InvalidDataException e)
        {
            bad.Add($"'{_files.SetFile}' cannot be used: {e.Message}. {StateFile.SetAside(_files.SetFile)}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            bad.Add($"'{_files.SetFile}' cannot be read: {e.Message}. It was left where it is.");
        }
        if (bad.Count > 0)
            signals.Raise(new Signal("edge-certificates-unreadable", _files.SetFile,
                $"{string.Join(" ", bad.Take(3))}{(bad.Count > 3 ? $" So are {bad.Count - 3} more." : "")} Handshakes for their names are refused until the control plane sends them again.",
                SignalUrgency.Urgent, _clock.GetUtcNow()));
    }

    /// <summary>Opens what a kept set names; what cannot be used is set aside, said in <paramref name="bad"/> and missing.</summary>
    private Dictionary<Guid, ServedCertificate> Read(KeptCertificates kept, List<string> bad)
    {
        var held = new Dictionary<Guid, ServedCertificate>();
        foreach (var id in kept.Set.Certificates.Concat(kept.StandIns).Select(c => c.Id))
        {
            try
            {
                if (_current.Held.TryGetValue(id, out var known))
                    held[id] = known;
                else if (_files.Read(id) is { } keyed)
                    held[id] = ServedCertificate.Open(keyed);
            }
            catch (InvalidDataException e)
            {
                bad.Add($"'{_files.FileOf(id)}' cannot be used: {e.Message}. {StateFile.SetAside(_files.FileOf(id))}");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                bad.Add($"'{_files.FileOf(id)}' cannot be read: {e.Message}. It was left where it is.");
            }
        }
        return held;
    }
}
