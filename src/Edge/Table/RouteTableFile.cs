using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>What the file of the last table holds (docs/formats/route-table.md).</summary>
internal static class RouteTableFile
{
    /// <summary>The file's name in the state folder.</summary>
    public const string Name = "routes.json";

    private const int Version = 2;

    /// <summary>The file's bytes, and the digest by which two tables are told apart.</summary>
    public static (byte[] Content, string Digest) Encode(RouteTable table)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(table, Json.Options);
        var digest = Convert.ToHexStringLower(SHA256.HashData(body));
        var head = Encoding.UTF8.GetBytes($$"""{"version":{{Version}},"sha256":"{{digest}}","table":""");
        return ([.. head, .. body, (byte)'}', (byte)'\n'], digest);
    }

    /// <summary>Reads such bytes back; anything that is not exactly what was written is refused.</summary>
    /// <exception cref="InvalidDataException">Says what is wrong with them.</exception>
    public static (RouteTable Table, string Digest) Decode(ReadOnlyMemory<byte> content)
    {
        try
        {
            using var document = JsonDocument.Parse(content);
            var root = document.RootElement;
            var version = root.GetProperty("version").GetInt32();
            if (version is < 1 or > Version)
                throw new InvalidDataException($"it has version {version}; this program reads versions 1 to {Version}");
            var body = root.GetProperty("table");
            var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(body.GetRawText())));
            if (root.GetProperty("sha256").GetString() != digest)
                throw new InvalidDataException("its content does not have the digest that it names");
            var table = body.Deserialize<RouteTable>(Json.Options) ?? throw new InvalidDataException("it holds no table");
            if (version == 1)
                table = table with { Routes = [.. table.Routes.Zip(body.GetProperty("routes").EnumerateArray(), WithIdleTime)] };
            return RouteTableJudge.Judge(table) is { Count: > 0 } problems
                ? throw new InvalidDataException($"its table has {problems.Count} problems: {problems[0]}")
                : (table, digest);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"it is not a whole route table ({e.Message})", e);
        }
    }

    /// <summary>Version 1 had one setting, which stood beside the targets.</summary>
    private static Route WithIdleTime(Route route, JsonElement written) => written.TryGetProperty("activityTimeout", out var idle)
        ? route with { Policy = RoutePolicy.Default with { Time = new TimeLimits { Idle = idle.Deserialize<TimeSpan>(Json.Options) } } }
        : route;
}
