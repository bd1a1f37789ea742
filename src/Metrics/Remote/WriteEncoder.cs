namespace Groundcrew.Metrics;

/// <summary>Writes samples as a packed request of remote write 1.0. Its buffers are used again; not thread-safe.</summary>
internal sealed class WriteEncoder
{
    private readonly ProtoWriter _request = new();
    private readonly ProtoWriter _series = new();
    private readonly ProtoWriter _piece = new();
    private readonly ProtoWriter _scratch = new();
    private byte[] _packed = [];

    /// <summary>Good until the next call.</summary>
    public ReadOnlyMemory<byte> Encode(IReadOnlyList<OutgoingSample> samples)
    {
        _request.Clear();
        foreach (var sample in samples)
        {
            _series.Clear();
            WriteLabels(sample.Series);
            WriteValue(sample);
            _request.Bytes(1, _series.Written);
        }
        var most = SnappyBlock.MaxPackedLength(_request.Written.Length);
        if (_packed.Length < most)
            _packed = new byte[most];
        return _packed.AsMemory(0, SnappyBlock.Pack(_request.Written, _packed));
    }

    private void WriteLabels(Labels labels)
    {
        foreach (var label in labels)
        {
            _piece.Clear();
            _piece.Bytes(1, label.NameUtf8);
            _piece.Bytes(2, label.ValueUtf8);
            _series.Bytes(1, _piece.Written);
        }
    }

    private void WriteValue(OutgoingSample sample)
    {
        _piece.Clear();
        if (sample.Histogram is { } histogram)
        {
            HistogramForm.Write(_piece, histogram, sample.Time, _scratch);
            _series.Bytes(4, _piece.Written);
            return;
        }
        _piece.Double(1, sample.Value);
        _piece.Number(2, (ulong)sample.Time);
        _series.Bytes(2, _piece.Written);
    }
}
