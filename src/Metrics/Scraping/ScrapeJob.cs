namespace Groundcrew.Metrics;

/// <summary>A job as it is applied: its settings and what is made of them once. Immutable but for the transport's connections.</summary>
internal sealed class ScrapeJob : IDisposable
{
    private readonly HttpMessageInvoker? _own;

    public ScrapeJob(ScrapeConfig config, ScraperSettings settings)
    {
        Config = config;
        TargetRules = new(config.RelabelRules);
        SampleRules = new(config.MetricRelabelRules);
        Accept = HeaderFor(config.ScrapeProtocols, config.LegacyNames);
        KeepsExemplars = settings.Exemplars is not null;
        Transport = settings.Transport(config) ?? (_own = HttpTransport.Create(config.Http));
    }

    public ScrapeConfig Config { get; }

    public Relabelling TargetRules { get; }

    public Relabelling SampleRules { get; }

    public string Accept { get; }

    public HttpMessageInvoker Transport { get; }

    public bool KeepsExemplars { get; }

    /// <summary>Why no target of the job is scraped; null when they are.</summary>
    public string? Refusal { get; set; }

    public void Dispose() => _own?.Dispose();

    private static string HeaderFor(IReadOnlyList<string> protocols, bool legacy)
    {
        var weight = 6;
        var accepted = new List<string>();
        foreach (var protocol in protocols)
        {
            var escaping = protocol is ScrapeProtocol.Text1 or ScrapeProtocol.OpenMetrics1 ? $";escaping={(legacy ? "underscores" : "allow-utf-8")}" : "";
            accepted.Add($"{MediaType(protocol)}{escaping};q=0.{weight--}");
        }
        accepted.Add($"*/*;q=0.{weight}");
        return string.Join(',', accepted);
    }

    private static string MediaType(string protocol) => protocol switch
    {
        ScrapeProtocol.Protobuf => "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        ScrapeProtocol.OpenMetrics1 => "application/openmetrics-text;version=1.0.0",
        ScrapeProtocol.OpenMetrics0 => "application/openmetrics-text;version=0.0.1",
        ScrapeProtocol.Text1 => "text/plain;version=1.0.0",
        _ => "text/plain;version=0.0.4",
    };
}
