using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;

namespace Groundcrew.Daemon.Doors;

/// <summary>Problem answers (RFC 9457) in the one shape of the contract.</summary>
internal static class Answers
{
    public static IResult Problem(int status, string code, string detail, IReadOnlyList<Problem>? problems = null) =>
        Results.Json(
            new ProblemView($"urn:groundcrew:problem:{code}", code.Replace('-', ' '), status, detail, code, problems ?? []),
            Json.Options, "application/problem+json", status);

    public static IResult BadInput(IReadOnlyList<Problem> problems) =>
        Problem(StatusCodes.Status400BadRequest, ProblemCodes.BadInput, problems.Count == 1 ? problems[0].ToString() : $"The request has {problems.Count} problems.", problems);

    public static IResult NotFound(string what) =>
        Problem(StatusCodes.Status404NotFound, ProblemCodes.NotFound, $"There is no {what}.");

    public static IResult View<T>(T view, int status = StatusCodes.Status200OK) => Results.Json(view, Json.Options, statusCode: status);
}

/// <summary>Reads request bodies strictly: unknown keys and wrong types are problems with their path, not surprises.</summary>
internal static class Body
{
    private const int MaxBytes = 1024 * 1024;

    private static readonly JsonSerializerOptions Strict = MakeStrict();

    public static async Task<Judged<T>> ReadAsync<T>(HttpContext http)
        where T : class, new() => await ReadAsync(http, () => new T());

    /// <summary>An empty body means <paramref name="empty"/>.</summary>
    public static async Task<Judged<T>> ReadAsync<T>(HttpContext http, Func<T> empty)
        where T : class
    {
        using var buffer = new MemoryStream();
        var chunk = new byte[16 * 1024];
        int read;
        while ((read = await http.Request.Body.ReadAsync(chunk, http.RequestAborted)) > 0)
        {
            if (buffer.Length + read > MaxBytes)
                throw new BadHttpRequestException("The body is larger than 1 MiB. Send less; artifacts have a call of their own.", StatusCodes.Status413PayloadTooLarge);
            buffer.Write(chunk, 0, read);
        }
        if (buffer.Length == 0)
            return Judged<T>.Good(empty());
        try
        {
            var body = buffer.GetBuffer().AsSpan(0, (int)buffer.Length);
            if (HasZero(body))
                return Judged<T>.Bad([new Problem("bad-json", "", "A text holds a zero character.", "Send texts without \\u0000.")]);
            var value = JsonSerializer.Deserialize<T>(body, Strict);
            return value is null
                ? Judged<T>.Bad([new Problem("bad-json", "", "The body is null.", "Send a JSON object.")])
                : Judged<T>.Good(value);
        }
        catch (JsonException e)
        {
            return Judged<T>.Bad([new Problem("bad-json", e.Path?.TrimStart('$', '.') ?? "", Shorten(e.Message), "See /openapi/v1.json for the keys and types.", (int?)(e.LineNumber + 1))]);
        }
    }

    /// <summary>PostgreSQL stores no text with a zero character (its manual, section 8.3): refused at the door, on every store.</summary>
    private static bool HasZero(ReadOnlySpan<byte> json)
    {
        for (var i = json.IndexOf((byte)'\\'); i >= 0 && i < json.Length; i += 2)
        {
            if (json[i..].StartsWith("\\u0000"u8))
                return true;
            var next = json[Math.Min(i + 2, json.Length)..].IndexOf((byte)'\\');
            if (next < 0)
                return false;
            i += next;
        }
        return false;
    }

    private static string Shorten(string message)
    {
        var end = message.IndexOf(" Path: ", StringComparison.Ordinal);
        return (end > 0 ? message[..end] : message).Replace("Groundcrew.Contract.", "", StringComparison.Ordinal);
    }

    private static JsonSerializerOptions MakeStrict()
    {
        var options = new JsonSerializerOptions { UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow, AllowDuplicateProperties = false };
        Json.Configure(options);
        return options;
    }
}
