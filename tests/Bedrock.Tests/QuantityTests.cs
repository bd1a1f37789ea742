using System.Globalization;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class QuantityTests
{
    /// <summary>A bug becomes a case first; the number of cases never drops.</summary>
    private const int CasesAtLeast = 74;

    private static IEnumerable<(string Kind, string Text, string Expected)> Cases() =>
        from line in File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "quantities.txt"))
        where line.Length > 0 && line[0] != '#'
        let parts = line.Split(" | ")
        select (parts[0], parts[1], parts[2]);

    [Fact]
    public void Every_case_of_the_table_reads_as_it_says()
    {
        var cases = Cases().ToList();
        Assert.True(cases.Count >= CasesAtLeast, $"{cases.Count} cases are left of {CasesAtLeast}.");
        Assert.Equal([], cases.Select(c => (c, Got: Read(c.Kind, c.Text))).Where(r => r.Got != r.c.Expected).Select(r => $"{r.c}: got {r.Got}"));
    }

    [Theory]
    [InlineData("0s")]
    [InlineData("500ms")]
    [InlineData("0.5ms")]
    [InlineData("0.0001ms")]
    [InlineData("1m30s")]
    [InlineData("7d")]
    [InlineData("1d2h3m4s5ms")]
    [InlineData("3650d")]
    public void A_duration_is_written_as_it_is_read(string text) =>
        Assert.Equal(text, Quantity.Format(Quantity.ParseDuration(text)!.Value));

    [Fact]
    public void No_duration_is_lost_when_it_is_written()
    {
        var random = new Random(20260101);
        for (var i = 0; i < 5_000; i++)
        {
            var duration = new TimeSpan(random.NextInt64(TimeSpan.FromDays(3650).Ticks >> random.Next(0, 50)));
            Assert.Equal(duration, Quantity.ParseDuration(Quantity.Format(duration)));
        }
        Assert.Equal("-1m30s", Quantity.Format(TimeSpan.FromSeconds(-90)));
    }

    [Fact]
    public void A_bare_size_counts_in_the_unit_of_its_place() =>
        Assert.Equal(512L * 1024 * 1024, Quantity.ParseBytes("512", bareUnit: 1024 * 1024));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(134217728, "128 MiB")]
    [InlineData(1099511627776, "1 TiB")]
    public void A_size_is_written_for_people_and_can_be_read_again(long bytes, string text)
    {
        Assert.Equal(text, Quantity.FormatBytes(bytes));
        Assert.Equal(bytes == 0 ? null : bytes, Quantity.ParseBytes(text));
    }

    private static string Read(string kind, string text) => kind switch
    {
        "duration" => Quantity.ParseDuration(text)?.Ticks.ToString(CultureInfo.InvariantCulture) ?? "-",
        "millicores" => Quantity.ParseMillicores(text)?.ToString(CultureInfo.InvariantCulture) ?? "-",
        "bytes" => Quantity.ParseBytes(text)?.ToString(CultureInfo.InvariantCulture) ?? "-",
        _ => throw new InvalidDataException($"'{kind}' is no kind of quantity."),
    };
}
