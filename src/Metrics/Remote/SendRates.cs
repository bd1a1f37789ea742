namespace Groundcrew.Metrics;

/// <summary>How fast samples come and go, since the last look. Thread-safe.</summary>
internal sealed class SendRates
{
    private readonly Lock _gate = new();
    private double _sending;
    private long _out;
    private long _in;
    private string _lastError = "";

    /// <summary>Why the last request failed; empty when it did not.</summary>
    public string LastError
    {
        get
        {
            lock (_gate)
                return _lastError;
        }
    }

    public void Came(int samples)
    {
        lock (_gate)
            _in += samples;
    }

    public void Sent(TimeSpan took, int samples)
    {
        lock (_gate)
        {
            _sending += took.TotalSeconds;
            _out += samples;
        }
    }

    public void Say(string error)
    {
        lock (_gate)
            _lastError = error;
    }

    /// <summary>Takes what was counted and begins again.</summary>
    public (long In, long Out, double SendingSeconds) Take()
    {
        lock (_gate)
        {
            var taken = (_in, _out, _sending);
            (_in, _out, _sending) = (0, 0, 0);
            return taken;
        }
    }
}
