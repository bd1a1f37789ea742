using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Groundcrew.Bedrock;

/// <summary>
/// The metrics of one process, written in the Prometheus text format 0.0.4. Series without labels exist at zero from
/// construction. A metric holds at most <see cref="MaxSeries"/> label sets; further ones are counted under the label
/// value <c>other</c>, so that input from outside cannot grow the process. Thread-safe; updates take no lock.
/// </summary>
public sealed class MetricRegistry
{
    /// <summary>The most label sets of one metric.</summary>
    public const int MaxSeries = 2000;

    /// <summary>The content type of what <see cref="WriteText"/> gives.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly ConcurrentDictionary<string, Metric> _metrics = new(StringComparer.Ordinal);

    /// <summary>A value that only grows. Asking twice for one name gives the same metric.</summary>
    public Metric Counter(string name, string help, params string[] labels) => Add(name, new Metric(name, help, "counter", labels, null));

    /// <summary>A value that goes up and down.</summary>
    public Metric Gauge(string name, string help, params string[] labels) => Add(name, new Metric(name, help, "gauge", labels, null));

    /// <summary>A distribution over <paramref name="buckets"/> (upper bounds, ascending, without +Inf).</summary>
    public Metric Histogram(string name, string help, double[] buckets, params string[] labels) =>
        Add(name, new Metric(name, help, "histogram", labels, buckets));

    /// <summary>A gauge that is read when the metrics are written; <paramref name="read"/> must be quick and thread-safe.</summary>
    public void Observe(string name, string help, Func<double> read) => Add(name, new Metric(name, help, "gauge", [], null)).Read = read;

    /// <summary>Everything, in the order of names.</summary>
    public string WriteText()
    {
        var text = new StringBuilder();
        foreach (var metric in _metrics.Values.OrderBy(m => m.Name, StringComparer.Ordinal))
            metric.WriteTo(text);
        return text.ToString();
    }

    private Metric Add(string name, Metric metric)
    {
        var existing = _metrics.GetOrAdd(name, metric);
        return existing.Type == metric.Type
            ? existing
            : throw new InvalidOperationException($"Metric '{name}' is a {existing.Type} already.");
    }
}

/// <summary>One metric with its series. Thread-safe.</summary>
public sealed class Metric
{
    private static readonly string[] NoValues = [];
    private readonly string[] _labels;
    private readonly double[]? _buckets;
    private readonly ConcurrentDictionary<string, Series> _series = new(StringComparer.Ordinal);

    internal Metric(string name, string help, string type, string[] labels, double[]? buckets)
    {
        (Name, Help, Type, _labels, _buckets) = (name, help, type, labels, buckets);
        if (labels.Length == 0)
            _ = With();
    }

    internal string Name { get; }

    internal string Help { get; }

    internal string Type { get; }

    internal Func<double>? Read { get; set; }

    /// <summary>The series with these label values, in the order of the metric's labels. Keep it on hot paths.</summary>
    public Series With(params string[] values)
    {
        if (values.Length != _labels.Length)
            throw new ArgumentException($"'{Name}' has {_labels.Length} labels.", nameof(values));
        var key = values.Length == 1 ? values[0] : string.Join('\u001f', values);
        if (_series.TryGetValue(key, out var series))
            return series;
        if (_series.Count >= MetricRegistry.MaxSeries)
            return _series.GetOrAdd("other", _ => new Series([.. values.Select(_ => "other")], _buckets, Type == "counter"));
        return _series.GetOrAdd(key, _ => new Series(values.Length == 0 ? NoValues : [.. values], _buckets, Type == "counter"));
    }

    /// <summary>Adds to the series without labels.</summary>
    public void Add(double amount = 1) => With().Add(amount);

    /// <summary>Sets the series without labels.</summary>
    public void Set(double value) => With().Set(value);

    /// <summary>
    /// Forgets every series whose <paramref name="label"/> has this value, because what it named is gone. Whoever still
    /// holds such a series may use it; it is no longer written.
    /// </summary>
    public void Remove(string label, string value)
    {
        var index = Array.IndexOf(_labels, label);
        foreach (var (key, series) in _series)
            if (series.ValueOf(index) == value)
                _series.TryRemove(key, out _);
    }

    /// <summary>Forgets every series with labels, before a gauge is filled anew.</summary>
    public void Clear()
    {
        if (_labels.Length > 0)
            _series.Clear();
    }

    internal void WriteTo(StringBuilder text)
    {
        text.Append("# HELP ").Append(Name).Append(' ').Append(Help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('\n');
        text.Append("# TYPE ").Append(Name).Append(' ').Append(Type).Append('\n');
        if (Read is { } read)
            With().Set(read());
        foreach (var series in _series.OrderBy(s => s.Key, StringComparer.Ordinal))
            series.Value.WriteTo(text, Name, _labels, _buckets);
    }

    /// <summary>One series. Thread-safe.</summary>
    public sealed class Series
    {
        private readonly string[] _values;
        private readonly double[]? _bounds;
        private readonly long[]? _counts;
        private readonly bool _onlyGrows;
        private double _value;

        internal Series(string[] values, double[]? bounds, bool onlyGrows)
        {
            (_values, _bounds, _onlyGrows) = (values, bounds, onlyGrows);
            _counts = bounds is null ? null : new long[bounds.Length + 1];
        }

        /// <summary>The value of a counter or gauge; the sum of a histogram.</summary>
        public double Value => Volatile.Read(ref _value);

        internal string? ValueOf(int label) => label < 0 ? null : _values[label];

        /// <summary>Adds; a counter only takes what is not negative.</summary>
        public void Add(double amount = 1)
        {
            if (_onlyGrows && amount < 0)
                throw new ArgumentOutOfRangeException(nameof(amount), amount, "A counter only grows.");
            var seen = Volatile.Read(ref _value);
            while (true)
            {
                var before = Interlocked.CompareExchange(ref _value, seen + amount, seen);
                if (before.Equals(seen))
                    return;
                seen = before;
            }
        }

        /// <summary>Sets a gauge.</summary>
        public void Set(double value) => Interlocked.Exchange(ref _value, value);

        /// <summary>Counts one observation of a histogram.</summary>
        public void Observe(double value)
        {
            var index = 0;
            while (index < _bounds!.Length && value > _bounds[index])
                index++;
            Interlocked.Increment(ref _counts![index]);
            Add(value);
        }

        internal void WriteTo(StringBuilder text, string name, string[] labels, double[]? buckets)
        {
            if (buckets is null)
            {
                WriteLine(text, name, labels, null, Value);
                return;
            }
            long total = 0;
            for (var i = 0; i <= buckets.Length; i++)
            {
                total += Interlocked.Read(ref _counts![i]);
                WriteLine(text, name + "_bucket", labels, i < buckets.Length ? Number(buckets[i]) : "+Inf", total);
            }
            WriteLine(text, name + "_sum", labels, null, Value);
            WriteLine(text, name + "_count", labels, null, total);
        }

        private void WriteLine(StringBuilder text, string name, string[] labels, string? bound, double value)
        {
            text.Append(name);
            if (labels.Length > 0 || bound is not null)
            {
                text.Append('{');
                for (var i = 0; i < labels.Length; i++)
                    Label(text, labels[i], _values[i], i > 0);
                if (bound is not null)
                    Label(text, "le", bound, labels.Length > 0);
                text.Append('}');
            }
            text.Append(' ').Append(Number(value)).Append('\n');
        }

        private static void Label(StringBuilder text, string name, string value, bool comma) =>
            text.Append(comma ? "," : "").Append(name).Append("=\"")
                .Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal))
                .Append('"');

        private static string Number(double value) => value switch
        {
            double.PositiveInfinity => "+Inf",
            double.NegativeInfinity => "-Inf",
            double.NaN => "NaN",
            _ => value.ToString("R", CultureInfo.InvariantCulture),
        };
    }
}
