using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class NameTests
{
    [Fact]
    public void Ids_are_ordered_by_the_clock_that_made_them()
    {
        var clock = new ManualClock();
        var ids = new List<string>();
        for (var i = 0; i < 100; i++)
        {
            ids.Add(Ids.New(clock).ToString());
            clock.Advance(TimeSpan.FromMilliseconds(1));
        }
        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
    }

    [Fact]
    public void An_id_is_a_UUID_of_version_7_with_the_time_of_the_clock_in_front()
    {
        var clock = new ManualClock();
        var bytes = Ids.New(clock).ToByteArray(bigEndian: true);
        Assert.Equal(7, bytes[6] >> 4);
        Assert.Equal(0b10, bytes[8] >> 6);
        var milliseconds = bytes.Take(6).Aggregate(0L, (sum, b) => (sum << 8) | b);
        Assert.Equal(clock.GetUtcNow().ToUnixTimeMilliseconds(), milliseconds);
    }

    [Fact]
    public void Ids_of_one_instant_differ()
    {
        var clock = new ManualClock();
        var ids = Enumerable.Range(0, 10_000).Select(_ => Ids.New(clock)).ToHashSet();
        Assert.Equal(10_000, ids.Count);
    }

    /// <summary>ZW-65: seven characters of digits and lower-case letters.</summary>
    [Fact]
    public void A_nano_id_has_seven_characters_of_the_alphabet_and_uses_all_of_it()
    {
        var seen = new HashSet<char>();
        for (var i = 0; i < 2_000; i++)
        {
            var id = Ids.NewNano();
            Assert.Equal(7, id.Length);
            Assert.All(id, c => Assert.True(c is (>= '0' and <= '9') or (>= 'a' and <= 'z')));
            seen.UnionWith(id);
        }
        Assert.Equal(36, seen.Count);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("0")]
    [InlineData("web")]
    [InlineData("us-east-1")]
    [InlineData("pr-123")]
    [InlineData("a--b")]
    [InlineData("a123456789012345678901234567890123456789")]
    public void A_name_that_may_stand_in_a_DNS_label_is_a_slug(string text)
    {
        Assert.True(Slug.IsValid(text, out var why));
        Assert.Null(why);
    }

    [Theory]
    [InlineData(null, "empty")]
    [InlineData("", "empty")]
    [InlineData("-a", "start or end")]
    [InlineData("a-", "start or end")]
    [InlineData("-", "start or end")]
    [InlineData("Web", "only a-z")]
    [InlineData("a_b", "only a-z")]
    [InlineData("a.b", "only a-z")]
    [InlineData("a b", "only a-z")]
    [InlineData("ä", "only a-z")]
    [InlineData("a\n", "only a-z")]
    [InlineData("../etc", "only a-z")]
    [InlineData("a1234567890123456789012345678901234567890", "41 characters")]
    public void What_is_no_slug_says_why(string? text, string expected)
    {
        Assert.False(Slug.IsValid(text, out var why));
        Assert.Contains(expected, why, StringComparison.Ordinal);
    }

    [Fact]
    public void Generations_begin_at_none_and_only_grow()
    {
        var first = Generation.None.Next();
        var second = first.Next();
        Assert.Equal(0, Generation.None.Value);
        Assert.True(Generation.None < first && first < second && second > first);
        Assert.True(first <= new Generation(1) && first >= new Generation(1));
        Assert.False(second <= first);
        Assert.Equal([Generation.None, first, second], new[] { second, Generation.None, first }.Order());
        Assert.Equal("2", second.ToString());
    }

    [Fact]
    public void An_input_is_either_good_or_shows_its_problems()
    {
        Assert.Empty(Judged<string>.Good("x").Problems);
        Assert.Null(Judged<string>.Bad([new Problem("c", "p", "m", "f")]).Value);
        Assert.Throws<ArgumentException>(() => Judged<string>.Bad([]));
    }

    [Fact]
    public void A_problem_reads_as_where_what_and_the_fix()
    {
        Assert.Equal("line 3: services.web: It is wrong. Mend it.", new Problem("bad", "services.web", "It is wrong.", "Mend it.", 3).ToString());
        Assert.Equal("It is wrong.", new Problem("bad", "", "It is wrong.", "").ToString());
    }

    [Fact]
    public void Every_problem_of_an_input_is_kept_in_order()
    {
        var list = new ProblemList();
        Assert.True(list.IsEmpty);
        list.RequireSlug("org", "good");
        list.RequireSlug("project", "Not Good", 7);
        list.Add("other", "x", "m", "f");
        list.AddRange([new Problem("more", "y", "m", "f")]);
        Assert.Equal(["bad-name", "other", "more"], list.Problems.Select(p => p.Code));
        Assert.Equal(7, list.Problems[0].Line);
    }
}
