using System.Globalization;

namespace Groundcrew.Metrics;

/// <summary>Reads what several sections hold.</summary>
/// <param name="folder">Where relative file names begin; null leaves them.</param>
internal sealed class SectionForms(string? folder)
{
    public string Absolute(string file) => folder is null || file.Length == 0 ? file : Path.Combine(folder, file);

    public Uri Url(ConfigSection map, string key)
    {
        var line = map.LineOf(key);
        var text = map.Required(key);
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.Host.Length > 0)
            return url;
        if (text.Length > 0)
            map.Refuse("bad-url", key, $"'{text}' is no address with the scheme http or https.", "Write it like http://host:port/path.", line);
        return new Uri("http://refused.invalid/");
    }

    /// <summary>The keys of Prometheus' HTTP clients.</summary>
    public HttpSettings Http(ConfigSection map)
    {
        var settings = new HttpSettings
        {
            Tls = Tls(map.Section("tls_config")),
            FollowRedirects = map.Flag("follow_redirects") ?? true,
            EnableHttp2 = map.Flag("enable_http2") ?? true,
            ProxyUrl = map.Has("proxy_url") ? Url(map, "proxy_url") : null,
        };
        settings = Basic(map, settings);
        settings = Authorization(map, settings);
        if (settings.BasicUser is not null && (settings.Credentials is not null || settings.CredentialsFile is not null))
            map.Refuse("two-authorizations", "basic_auth", "at most one of basic_auth, oauth2 & authorization must be configured.", "Keep one of them.");
        map.Unsupported("Use basic_auth or authorization.", "oauth2", "sigv4", "azuread", "google_iam", "http_headers");
        map.Unsupported("Name the proxy with proxy_url.", "proxy_from_environment", "no_proxy", "proxy_connect_header");
        return settings;
    }

    public static Labels LabelsOf(ConfigSection map, string key)
    {
        var line = map.LineOf(key);
        var builder = new LabelsBuilder();
        foreach (var (name, value) in map.TextMap(key) ?? new Dictionary<string, string>())
        {
            if (!LabelText.IsPlainLabelName(name))
                map.Refuse("bad-label", key, $"\"{name}\" is not a valid label name.", "Use letters, digits and _, and no digit first.", line);
            builder.Set(name, value);
        }
        return builder.ToLabels();
    }

    public static IReadOnlyList<TargetGroup> StaticTargets(ConfigSection map) => [.. map.Sections("static_configs").Select((group, index) => Group(group, $"static/{index}"))];

    public static TargetGroup Group(ConfigSection map, string source)
    {
        var line = map.LineOf("targets");
        var targets = map.Texts("targets") ?? [];
        foreach (var target in targets)
            if (target.Contains('/'))
                map.Refuse("bad-target", "targets", $"\"{target}\" is not a valid hostname.", "Write host:port; scheme and path have keys of their own.", line);
        var group = new TargetGroup(source, [.. targets.Select(target => Labels.Of(("__address__", target)))], LabelsOf(map, "labels"));
        map.Close();
        return group;
    }

    public static ScrapeLimits Limits(ConfigSection map, ScrapeLimits above)
    {
        // 0 at a job means "as above", as Prometheus reads it.
        long Or(long? own, long general) => own is { } given and not 0 ? given : general;
        return new()
        {
            BodySize = Or(map.Size("body_size_limit"), above.BodySize),
            Samples = Or(map.Count("sample_limit"), above.Samples),
            Targets = Or(map.Count("target_limit"), above.Targets),
            Labels = Or(map.Count("label_limit"), above.Labels),
            LabelNameLength = Or(map.Count("label_name_length_limit"), above.LabelNameLength),
            LabelValueLength = Or(map.Count("label_value_length_limit"), above.LabelValueLength),
            KeepDroppedTargets = Or(map.Count("keep_dropped_targets"), above.KeepDroppedTargets),
            NativeHistogramBuckets = Or(map.Count("native_histogram_bucket_limit"), above.NativeHistogramBuckets),
        };
    }

    public static IReadOnlyList<string>? Protocols(ConfigSection map)
    {
        var line = map.LineOf("scrape_protocols");
        if (map.Texts("scrape_protocols") is not { Count: > 0 } words)
            return null;
        foreach (var word in words.Where(word => !IsProtocol(word)))
            map.Refuse("unknown-choice", "scrape_protocols", $"unknown scrape protocol {word}, supported: [{string.Join(' ', ScrapeProtocol.Defaults.Append(ScrapeProtocol.Protobuf).Order(StringComparer.Ordinal))}].", "Write one of them.", line);
        if (words.Distinct(StringComparer.Ordinal).Count() != words.Count)
            map.Refuse("duplicate-value", "scrape_protocols", "duplicated protocol in scrape_protocols.", "Name each once.", line);
        return words;
    }

    /// <summary>Classic histograms stay what they are: taken without a word, the setting would leave queries without an answer.</summary>
    public static void RefuseConversion(ConfigSection map)
    {
        var line = map.LineOf("convert_classic_histograms_to_nhcb");
        if (map.Flag("convert_classic_histograms_to_nhcb") == true)
            map.Refuse("unsupported-value", "convert_classic_histograms_to_nhcb", "Classic histograms are not converted to native ones.", "Remove the key and query the classic buckets with histogram_quantile, or let the target expose native histograms.", line);
    }

    public static string? Protocol(ConfigSection map, string key) =>
        map.Choice(key, ScrapeProtocol.Text0, ScrapeProtocol.Text1, ScrapeProtocol.OpenMetrics0, ScrapeProtocol.OpenMetrics1, ScrapeProtocol.Protobuf);

    /// <summary>A whole number with a lower and an upper bound.</summary>
    public static int Between(ConfigSection map, string key, int least, int otherwise)
    {
        var line = map.LineOf(key);
        var count = map.Count(key) ?? otherwise;
        if (count < least || count > 100_000_000)
            map.Refuse("bad-number", key, string.Create(CultureInfo.InvariantCulture, $"{count} is out of range."), $"Write a number from {least} to 100000000.", line);
        return (int)Math.Clamp(count, least, 100_000_000);
    }

    private static bool IsProtocol(string word) => word == ScrapeProtocol.Protobuf || ScrapeProtocol.Defaults.Contains(word);

    private HttpSettings Basic(ConfigSection map, HttpSettings settings)
    {
        var basic = map.Section("basic_auth");
        if (!basic.IsPresent)
            return settings;
        var read = settings with
        {
            BasicUser = basic.Text("username") ?? "",
            BasicPassword = basic.Secret("password"),
            BasicPasswordFile = basic.Text("password_file") is { } file ? Absolute(file) : null,
        };
        if (read.BasicPassword is not null && read.BasicPasswordFile is not null)
            basic.Refuse("two-values", "password_file", "at most one of basic_auth password & password_file must be configured.", "Keep one of them.");
        basic.Unsupported("Write the name as username.", "username_file", "username_ref", "password_ref");
        basic.Close();
        return read;
    }

    private HttpSettings Authorization(ConfigSection map, HttpSettings settings)
    {
        var token = map.Secret("bearer_token");
        var tokenFile = map.Text("bearer_token_file");
        var auth = map.Section("authorization");
        var type = auth.Text("type")?.Trim() is { Length: > 0 } word ? word : "Bearer";
        var credentials = auth.Secret("credentials");
        var credentialsFile = auth.Text("credentials_file");
        if (type.Equals("basic", StringComparison.OrdinalIgnoreCase))
            auth.Refuse("bad-type", "type", "authorization type cannot be set to \"basic\", use \"basic_auth\" instead.", "Use basic_auth.");
        if ((credentials is null ? 0 : 1) + (credentialsFile is null ? 0 : 1) + (token is null ? 0 : 1) + (tokenFile is null ? 0 : 1) > 1 || (auth.IsPresent && (token ?? (object?)tokenFile) is not null))
            map.Refuse("two-values", "authorization", "at most one of credentials, credentials_file, bearer_token & bearer_token_file must be configured.", "Keep one of them.");
        auth.Unsupported("Use credentials or credentials_file.", "credentials_ref");
        auth.Close();
        return settings with
        {
            AuthorizationType = type,
            Credentials = credentials ?? token,
            CredentialsFile = (credentialsFile ?? tokenFile) is { } file ? Absolute(file) : null,
        };
    }

    private TlsSettings Tls(ConfigSection map)
    {
        ReadOnlySpan<string> versions = ["TLS10", "TLS11", "TLS12", "TLS13"];
        var tls = new TlsSettings
        {
            Ca = map.Text("ca"),
            CaFile = File(map, "ca_file"),
            CertFile = File(map, "cert_file"),
            KeyFile = File(map, "key_file"),
            ServerName = map.Text("server_name"),
            InsecureSkipVerify = map.Flag("insecure_skip_verify") ?? false,
            MinVersion = map.Choice("min_version", versions),
            MaxVersion = map.Choice("max_version", versions),
        };
        if ((tls.CertFile is null) != (tls.KeyFile is null))
            map.Refuse("half-a-pair", "cert_file", "cert_file and key_file belong together, and one of them is missing.", "Name both or none.");
        if (tls.Ca is not null && tls.CaFile is not null)
            map.Refuse("two-values", "ca_file", "at most one of ca & ca_file must be configured.", "Keep one of them.");
        map.Unsupported("Keep certificate and key in files: cert_file and key_file.", "cert", "key", "ca_ref", "cert_ref", "key_ref");
        map.Close();
        return tls;
    }

    private string? File(ConfigSection map, string key) => map.Text(key) is { Length: > 0 } file ? Absolute(file) : null;
}
