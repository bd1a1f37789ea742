using System.Text.Json;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class JsonTests
{
    private sealed record Sample(string FirstName, SignalUrgency Urgency, string? Missing = null, int Number = 1);

    [Fact]
    public void The_dialect_is_camelCase_with_words_for_enums_and_without_nulls() =>
        Assert.Equal("""{"firstName":"Zoë","urgency":"urgent","number":1}""", JsonSerializer.Serialize(new Sample("Zoë", SignalUrgency.Urgent), Json.Options));

    [Theory]
    [InlineData("""{"firstName":"a","urgency":2}""")]
    [InlineData("""{"firstName":"a","urgency":"info","number":"1"}""")]
    [InlineData("""{"firstName":"a","urgency":"soon"}""")]
    public void What_only_looks_alike_is_refused(string json) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Sample>(json, Json.Options));

    [Fact]
    public void The_options_cannot_be_changed_by_anyone() =>
        Assert.True(Json.Options.IsReadOnly && Json.Indented.IsReadOnly);
}
