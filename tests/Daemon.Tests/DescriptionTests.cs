using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Groundcrew.Cli;
using Groundcrew.Contract;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>The OpenAPI document says what is mapped, no more and no less, and names fields as the guides do.</summary>
public sealed partial class DescriptionTests
{
    private static readonly JsonSerializerOptions Written = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public async Task The_document_has_exactly_the_calls_that_are_mapped()
    {
        await using var host = await ControlHost.StartAsync();
        var document = await ReadAsync(host);
        var described = document.GetProperty("paths").EnumerateObject()
            .SelectMany(p => p.Value.EnumerateObject().Select(m => $"{m.Name.ToUpperInvariant()} {p.Name}"));
        var mapped = host.Endpoints.Where(e => e.Endpoint.Metadata.GetMetadata<Microsoft.AspNetCore.Routing.IExcludeFromDescriptionMetadata>() is null)
            .Select(e => $"{e.Method} {Constraint().Replace(e.Pattern, "{$1}")}").Where(e => !e.Contains("/openapi/", StringComparison.Ordinal));
        Assert.Equal(mapped.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
        Assert.DoesNotContain(described, d => d.Contains("/link/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Fields_are_named_as_on_the_wire()
    {
        await using var host = await ControlHost.StartAsync();
        var schemas = (await ReadAsync(host)).GetProperty("components").GetProperty("schemas");
        var seen = 0;
        foreach (var type in typeof(ProjectView).Assembly.GetExportedTypes().Where(t => schemas.TryGetProperty(t.Name, out _)))
        {
            seen++;
            Assert.Equal(
                Bedrock.Json.Options.GetTypeInfo(type).Properties.Select(p => p.Name).Order(StringComparer.Ordinal),
                schemas.GetProperty(type.Name).GetProperty("properties").EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));
        }
        Assert.True(seen > 25, $"{seen} schemas");
        string[] guide = ["github_repo", "auto_deploy", "branch", "resources"];
        Assert.All(guide, name => Assert.True(schemas.GetProperty("CreateProject").GetProperty("properties").TryGetProperty(name, out _), name));
        string[] deploy = ["commit_sha", "commit_message", "instances_per_region", "image"];
        Assert.All(deploy, name => Assert.True(schemas.GetProperty("CreateDeployment").GetProperty("properties").TryGetProperty(name, out _), name));
    }

    [Fact]
    public async Task The_document_in_the_reference_is_the_one_that_is_served()
    {
        await using var host = await ControlHost.StartAsync();
        await IsReferenceAsync("docs/reference/openapi.json", JsonSerializer.Serialize(await ReadAsync(host), Written) + "\n");
    }

    [Fact]
    public Task The_page_of_the_command_line_in_the_reference_is_what_the_verbs_say() =>
        IsReferenceAsync("docs/reference/cli.md", CrewReference.Generate(Program.Verbs(new CrewEnvironment())));

    [Fact]
    public void Every_code_of_a_problem_is_seen_in_a_test()
    {
        var codes = typeof(ProblemCodes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => f.Name).ToList();
        var tests = string.Concat(Directory.GetFiles(Path.Combine(Checkout.Root, "tests/Daemon.Tests"), "*Tests.cs").Select(File.ReadAllText));
        Assert.True(codes.Count > 10);
        Assert.All(codes, code => Assert.True(Regex.IsMatch(tests, $@"IsProblem\(\d+, ProblemCodes\.{code}\)"), $"no test answers with {code}"));
    }

    private static async Task IsReferenceAsync(string page, string made)
    {
        var file = Path.Combine(Checkout.Root, page);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
            await File.WriteAllTextAsync(file, made, TestContext.Current.CancellationToken);
        Assert.True(File.Exists(file) && await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken) == made,
            $"{page} is not what is made: run this test with UPDATE_GOLDEN=1 and review the difference.");
    }

    private static async Task<JsonElement> ReadAsync(ControlHost host) => (await host.SendAsync("GET", "/openapi/v1.json", null, (string?)null)).Ok(200).Json;

    [GeneratedRegex(@"\{(\w+):\w+\}")]
    private static partial Regex Constraint();
}
