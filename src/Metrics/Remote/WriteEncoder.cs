namespace Groundcrew.Metrics;

/// <summary>Writes samples as a packed request of remote write 1.0 or 2.0. Its buffers are used again; not thread-safe.</summary>
internal sealed class WriteEncoder(bool second = false)
{
    private readonly ProtoWriter _request = new();
    private readonly ProtoWriter _series = new();
    private readonly ProtoWriter _piece = new();
    private readonly ProtoWriter _scratch = new();
    private readonly List<uint> _references = [];
    private readonly Dictionary<byte[], uint> _symbols = new(ByteText.Comparer);
    private byte[] _packed = [];

    /// <summary>Good until the next call.</summary>
    public ReadOnlyMemory<byte> Encode(IReadOnlyList<OutgoingSample> samples)
    {
        _request.Clear();
        if (second)
            BeginSymbols();
        foreach (var sample in samples)
        {
            _series.Clear();
            if (second)
                WriteReferences(sample.Series);
            else
                WriteLabels(sample.Series);
            WriteValue(sample);
            _request.Bytes(second ? 5 : 1, _series.Written);
        }
        var most = SnappyBlock.MaxPackedLength(_request.Written.Length);
        if (_packed.Length < most)
            _packed = new byte[most];
        return _packed.AsMemory(0, SnappyBlock.Pack(_request.Written, _packed));
    }

    // The first symbol is the empty one. Symbols may stand anywhere in the request, and are written when they are first needed.
    private void BeginSymbols()
    {
        _symbols.Clear();
        _ = SymbolOf(default);
    }

    private void WriteReferences(Labels labels)
    {
        _references.Clear();
        foreach (var label in labels)
        {
            _references.Add(SymbolOf(label.NameUtf8));
            _references.Add(SymbolOf(label.ValueUtf8));
        }
        _series.Numbers(1, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_references));
    }

    private uint SymbolOf(ReadOnlySpan<byte> text)
    {
        var symbols = _symbols.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (symbols.TryGetValue(text, out var reference))
            return reference;
        reference = (uint)_symbols.Count;
        symbols[text] = reference;
        _request.Bytes(4, text);
        return reference;
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
            _series.Bytes(second ? 3 : 4, _piece.Written);
            return;
        }
        _piece.Double(1, sample.Value);
        _piece.Number(2, (ulong)sample.Time);
        _series.Bytes(2, _piece.Written);
    }
}
