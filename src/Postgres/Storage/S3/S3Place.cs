using System.Text.RegularExpressions;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>A bucket, by its server. Immutable.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Prefix">What keys begin with; empty, or with '/' at its end.</param>
/// <param name="Endpoint">The server's address; null for Amazon's.</param>
/// <param name="Region">The region.</param>
internal sealed partial record S3Place(string Bucket, string Prefix, Uri? Endpoint, string Region)
{
    /// <summary>How the URL of a bucket begins.</summary>
    public const string Scheme = "s3://";

    private const string DefaultRegion = "us-east-1";

    /// <summary>Reads it.</summary>
    public static Judged<S3Place> Judge(StorageSpec spec)
    {
        var problems = new ProblemList();
        var rest = spec.Url[Scheme.Length..];
        var slash = rest.IndexOf('/');
        var (bucket, prefix) = slash < 0 ? (rest, "") : (rest[..slash], rest[(slash + 1)..].TrimEnd('/') + "/");
        prefix = prefix == "/" ? "" : prefix;
        // Whoever writes credentials into a URL does not want to see them again in a log.
        if (rest.Contains('@'))
            problems.Add("bad-storage", "url", "A URL of S3 has no user and no password.", "Give the credentials as a secret, access key:secret key.");
        else if (!BucketName().IsMatch(bucket))
            problems.Add("bad-storage", "url", $"'{bucket}' is not the name of a bucket.", "Write s3://bucket/prefix; a bucket has 3 to 63 characters of a-z, 0-9, '.' and '-'.");
        else if (rest.AsSpan().IndexOfAny('?', '#') >= 0)
            problems.Add("bad-storage", "url", "A URL of S3 has no '?' and no '#'.", "Write s3://bucket/prefix, and the server as the endpoint.");
        else if (!ObjectKeys.IsPrefix(prefix))
            problems.Add("bad-storage", "url", $"'{prefix}' is not a prefix of keys.", "Write names with a '/' between, without '.' and '..'.");
        var endpoint = JudgeEndpoint(spec.Endpoint, problems);
        if (spec.Region is not null && !RegionName().IsMatch(spec.Region))
            problems.Add("bad-storage", "region", $"'{spec.Region}' is not a region.", "Write its name, such as eu-central-1, or leave it out.");
        return problems.IsEmpty
            ? Judged<S3Place>.Good(new(bucket, prefix, endpoint, spec.Region ?? DefaultRegion))
            : Judged<S3Place>.Bad(problems.Problems);
    }

    /// <summary>For people.</summary>
    public override string ToString() => $"{Scheme}{Bucket}/{Prefix}".TrimEnd('/') + (Endpoint is null ? "" : $" of {Endpoint.GetLeftPart(UriPartial.Authority)}");

    private static Uri? JudgeEndpoint(string? text, ProblemList problems)
    {
        if (text is null)
            return null;
        var isAddress = Uri.TryCreate(text, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https" && endpoint.Host.Length > 0;
        if (isAddress && endpoint!.UserInfo.Length > 0)
            problems.Add("bad-storage", "endpoint", "An endpoint has no user and no password.", "Give the credentials as a secret, access key:secret key.");
        else if (!isAddress || endpoint!.AbsolutePath != "/" || endpoint.Query.Length > 0 || endpoint.Fragment.Length > 0)
            problems.Add("bad-storage", "endpoint", $"'{text}' is not the address of a server.", "Write it without a path, such as https://s3.example.com or http://127.0.0.1:9000.");
        return endpoint;
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", RegexOptions.NonBacktracking)]
    private static partial Regex BucketName();

    [GeneratedRegex("^[a-z0-9-]{1,40}$", RegexOptions.NonBacktracking)]
    private static partial Regex RegionName();
}
