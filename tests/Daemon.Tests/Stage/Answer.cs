using System.Text.Json;
using Groundcrew.Contract;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>An answer of the control plane, read whole.</summary>
internal sealed record Answer(int Status, string? ContentType, IReadOnlyDictionary<string, string> Headers, string Text)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;

    public string? Header(string name) => Headers.GetValueOrDefault(name);

    public T As<T>() => JsonSerializer.Deserialize<T>(Text, Bedrock.Json.Options)!;

    public Answer Ok(int status)
    {
        Assert.True(Status == status, $"{status} was expected, and came {Status}: {Text}");
        return this;
    }

    /// <summary>It is a problem of the one shape, with this status and code.</summary>
    public ProblemView IsProblem(int status, string code)
    {
        Assert.True((Status, ContentType) == (status, "application/problem+json"), $"{status} {code} was expected, and came {Status} {ContentType}: {Text}");
        var problem = As<ProblemView>();
        Assert.Equal((status, code, $"urn:groundcrew:problem:{code}", code.Replace('-', ' ')), (problem.Status, problem.Code, problem.Type, problem.Title));
        Assert.False(string.IsNullOrWhiteSpace(problem.Detail));
        Assert.All(problem.Problems, p => Assert.False(string.IsNullOrWhiteSpace(p.Message) || string.IsNullOrWhiteSpace(p.Fix)));
        return problem;
    }
}
