using System.Text;
using System.Text.RegularExpressions;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Matching;

public sealed class RegexpPatternTests
{
    private static readonly string[] Inputs =
    [
        "", "a", "b", "ab", "abc", "aab", "ba", "bc", "foo", "foobar", "barfoo", "xfoox", "FOO", "Foo", "foo\nbar", "\n", "1", "12", "a1", "a_b", "a b", "a.b", "a|b",
        "é", "éa", "日本", "😀", "a😀", "😀😀", "Ω", "ω", "k", "K", "\u212A", "ſ", "s", " ", "-", "]", "api-0", "api-12", "node_exporter", "10.0.0.1:9100", "ab\u0000", "fooo", "fo",
    ];

    /// <summary>Expressions that mean the same in RE2 and in the backtracking engine of .NET on these inputs.</summary>
    [Theory]
    [InlineData("a|b|c")]
    [InlineData("(a|b)c")]
    [InlineData("[ab]c?")]
    [InlineData("foo.*")]
    [InlineData(".*foo")]
    [InlineData(".*foo.*")]
    [InlineData(".*")]
    [InlineData(".+")]
    [InlineData("foo.+")]
    [InlineData(".+foo.+")]
    [InlineData(".*.+")]
    [InlineData(".+.+")]
    [InlineData("f.*o.*r")]
    [InlineData("(.*)foo(.*)")]
    [InlineData("^foo$")]
    [InlineData("^(foo|bar).*$")]
    [InlineData("(^foo|ab)c?")]
    [InlineData("a*b+c?")]
    [InlineData("[^a]+")]
    [InlineData("[a-c]{2,3}")]
    [InlineData("(?:ab|a)(?:c|b)")]
    [InlineData("(?i)foo")]
    [InlineData("(?i:f)oo")]
    [InlineData("(?-s).+")]
    [InlineData("(?-s:.*)bar")]
    [InlineData("api-\\d+")]
    [InlineData("\\w+")]
    [InlineData("\\W")]
    [InlineData("\\S+")]
    [InlineData("[\\d.]+:\\d+")]
    [InlineData("a\\.b|a\\|b")]
    [InlineData("")]
    [InlineData("()")]
    [InlineData("|a")]
    [InlineData("fo{1,2}")]
    [InlineData("fo{2}")]
    [InlineData("fo{2,}")]
    [InlineData("\\x61\\x{62}")]
    public void Matches_are_those_of_a_backtracking_engine(string pattern)
    {
        var ours = RegexpPattern.Anchored(pattern);
        var theirs = new Regex($"^(?s:{pattern.Replace("\\x{62}", "b", StringComparison.Ordinal)})\\z", RegexOptions.CultureInvariant | RegexOptions.ECMAScript & RegexOptions.None);
        foreach (var input in Inputs.Where(i => i.EnumerateRunes().All(r => r.IsAscii) || pattern is ".*" or ".+" or "foo.*"))
            Assert.True(ours.IsMatch(Encoding.UTF8.GetBytes(input)) == theirs.IsMatch(input), $"{pattern} on '{input}'");
    }

    [Theory]
    [InlineData(".", "é 日 😀 a", "日本 😀😀")]
    [InlineData("..", "😀😀 a😀 日本", "😀 日")]
    [InlineData(".{2}", "😀😀 a😀", "😀")]
    [InlineData("[😀-😎]+", "😀 😀😎", "😏 a")]
    [InlineData("[^a]", "😀 é b", "a 😀😀")]
    [InlineData("\\x{1F600}", "😀", "😁")]
    [InlineData("\\x{1f600}?a", "a 😀a", "😀")]
    [InlineData("[\\x{10000}-\\x{10FFFF}]", "😀", "日")]
    [InlineData("\\d+", "12", "١٢")]
    [InlineData("\\w+", "ab_1", "é ab日")]
    [InlineData("\\p{Greek}+", "Ωω", "a я")]
    [InlineData("\\pN+", "12 ١٢ Ⅻ", "a")]
    [InlineData("\\p{Lu}\\P{Lu}", "Éa", "éa ÉA")]
    [InlineData("[[:alpha:]]+", "abZ", "é 1")]
    [InlineData("[[:^digit:]x]+", "abé", "1")]
    [InlineData("[\\pL\\d]+", "é1日", "-")]
    [InlineData("(?i)k", "k K \u212A", "x")]
    [InlineData("(?i)[k-l]+", "kKlL\u212A", "m")]
    [InlineData("(?i)σ", "σ ς Σ", "s")]
    [InlineData("(?i)straße", "STRAßE STRAẞE", "STRASSE")]
    [InlineData("(?i)x{0}s", "s S ſ", "z")]
    [InlineData("\\Qa.b\\E+", "a.b a.bb", "axb a.ba.b")]
    [InlineData("\\Qa|b", "a|b", "a b")]
    [InlineData("(?m)a$.b", "a\nb", "a b")]
    [InlineData("(?P<x>a)(?<y>b)", "ab", "a")]
    [InlineData("\\Aab\\z", "ab", "abc")]
    [InlineData("a{,2}", "a{,2}", "aa")]
    [InlineData("a{01}", "a{01}", "a")]
    [InlineData("[]a]+", "]a", "b")]
    [InlineData("[a-]+", "a-", "b")]
    [InlineData("\\101", "A", "101")]
    [InlineData("foo\\b.bar", "foo-bar", "fooxbar")]
    [InlineData("(a{10}){20}", "", "a")]
    [InlineData("a{1000}", "", "a")]
    public void What_is_particular_to_RE2_matches_so(string pattern, string matching, string other)
    {
        var regexp = RegexpPattern.Anchored(pattern);
        foreach (var text in matching.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            Assert.True(regexp.IsMatch(Encoding.UTF8.GetBytes(text)), $"{pattern} on {text}");
        foreach (var text in other.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            Assert.False(regexp.IsMatch(Encoding.UTF8.GetBytes(text)), $"{pattern} on {text}");
    }

    [Theory]
    [InlineData("(", "missing closing ): `(`")]
    [InlineData("((a)", "missing closing ): `((a)`")]
    [InlineData(")", "unexpected ): `)`")]
    [InlineData("a)b", "unexpected ): `a)b`")]
    [InlineData("*", "missing argument to repetition operator: `*`")]
    [InlineData("a|+?", "missing argument to repetition operator: `+?`")]
    [InlineData("{2}", "missing argument to repetition operator: `{2}`")]
    [InlineData("a**", "invalid nested repetition operator: `**`")]
    [InlineData("a*?*", "invalid nested repetition operator: `*?*`")]
    [InlineData("x{2}{2}{2}", "invalid nested repetition operator: `{2}{2}`")]
    [InlineData("a{1001}", "invalid repeat count: `{1001}`")]
    [InlineData("a{2,1}", "invalid repeat count: `{2,1}`")]
    [InlineData("(a{1000}){2}", "invalid repeat count: `{2}`")]
    [InlineData("((a{100}){100}){100}", "invalid repeat count: `{100}`")]
    [InlineData("[a", "missing closing ]: `[a`")]
    [InlineData("[]", "missing closing ]: `[]`")]
    [InlineData("x[\\", "missing closing ]: `[\\`")]
    [InlineData("[z-a]", "invalid character class range: `z-a`")]
    [InlineData("[[:foo:]]", "invalid character class range: `[:foo:]`")]
    [InlineData("[a-\\d]", "invalid escape sequence: `\\d`")]
    [InlineData("\\p{Foo}", "invalid character class range: `\\p{Foo}`")]
    [InlineData("\\pX", "invalid character class range: `\\pX`")]
    [InlineData("\\8", "invalid escape sequence: `\\8`")]
    [InlineData("(a)\\1", "invalid escape sequence: `\\1`")]
    [InlineData("\\C", "invalid escape sequence: `\\C`")]
    [InlineData("\\é", "invalid escape sequence: `\\é`")]
    [InlineData("\\xg", "invalid escape sequence: `\\xg`")]
    [InlineData("\\x{110000}", "invalid escape sequence: `\\x{110000`")]
    [InlineData("\\", "trailing backslash at end of expression: ``")]
    [InlineData("(?=x)", "invalid or unsupported Perl syntax: `(?=`")]
    [InlineData("(?!x)", "invalid or unsupported Perl syntax: `(?!`")]
    [InlineData("(?x)a", "invalid or unsupported Perl syntax: `(?x`")]
    [InlineData("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`")]
    [InlineData("(?P=n)", "invalid or unsupported Perl syntax: `(?P`")]
    [InlineData("(?P<n", "invalid named capture: `(?P<n`")]
    [InlineData("(?P<é>x)", "invalid named capture: `(?P<é>`")]
    public void A_wrong_expression_is_refused_in_the_words_of_Go(string pattern, string problem)
    {
        Assert.Equal("error parsing regexp: " + problem, RegexpPattern.ProblemOf(pattern));
        Assert.Throws<FormatException>(() => RegexpPattern.Anchored(pattern));
    }

    [Theory]
    [InlineData("a|b|c", "a,b,c")]
    [InlineData("(a|b)c", "ac,bc")]
    [InlineData("[ab]x", "ax,bx")]
    [InlineData("^(foo|bar)$", "foo,bar")]
    [InlineData("ab?", "a,ab")]
    [InlineData("(?i)ab", "AB,Ab,aB,ab")]
    [InlineData("", "")]
    [InlineData("a.*", null)]
    [InlineData("[a-z]{3}", null)]
    [InlineData("[a-z][a-z]", null)]
    public void Expressions_that_are_lists_of_texts_are_known_as_such(string pattern, string? texts) =>
        Assert.Equal(texts, RegexpPattern.Anchored(pattern).Alternatives is { } a ? string.Join(',', a) : null);

    [Theory]
    [InlineData("foo.*", "foo")]
    [InlineData("foo(bar|baz).+", "fooba")]
    [InlineData("(foo)+x", "foo")]
    [InlineData("foo?", "fo")]
    [InlineData(".*foo", "")]
    [InlineData("(?i)foo", "")]
    [InlineData("^foo.+", "foo")]
    [InlineData("1foo|1bar.*", "1")]
    public void What_every_match_begins_with_is_known(string pattern, string prefix) => Assert.Equal(prefix, RegexpPattern.Anchored(pattern).Prefix);

    [Theory]
    [InlineData("(.*)-(.*)", "a-b", "$2-$1", "b-a")]
    [InlineData("(.*)", "x", "${1}y", "xy")]
    [InlineData("(.*)", "x", "$1y", "")]
    [InlineData("(?P<n>.*):.*", "host:90", "${n}!$n", "host!host")]
    [InlineData("(.*)", "x", "$$1 $3 ${4} $ ${", "$1   $ ${")]
    [InlineData("(a)|(b)", "b", "[$1][$2]", "[][b]")]
    [InlineData("a.*", "ab", "$0", "ab")]
    [InlineData("(.)(.*)", "😀x", "$2$1", "x😀")]
    [InlineData("a", "b", "x", null)]
    [InlineData("a", "aa", "x", null)]
    public void A_template_takes_what_the_groups_took(string pattern, string input, string template, string? expected)
    {
        var matches = RegexpPattern.Anchored(pattern).TryExpand(input, template, out var result);
        Assert.Equal(expected is not null, matches);
        Assert.Equal(expected ?? "", result);
    }

    [Theory]
    [InlineData("a|b|c")]
    [InlineData("api-.*")]
    [InlineData(".+-1.*")]
    [InlineData("api-[0-9]+")]
    public void Matching_allocates_nothing(string pattern)
    {
        var regexp = RegexpPattern.Anchored(pattern);
        byte[][] values = [.. Inputs.Select(Encoding.UTF8.GetBytes)];
        Run();
        Assert.Equal(0, Allocated.AtLeast(Run));

        void Run()
        {
            for (var i = 0; i < 100; i++)
                foreach (var value in values)
                    regexp.IsMatch(value);
        }
    }

    [Theory]
    [InlineData("\\p{L}+", "aé日", "1")]
    [InlineData("[^\\pL]+", "1 -", "é")]
    [InlineData("(?i)[\\p{Ll}]+", "aÉΣ", "1")]
    [InlineData("\\p{Any}", "😀", "")]
    [InlineData("\\PC+", "a", "\u0001")]
    public void Categories_are_those_of_Unicode(string pattern, string matching, string other)
    {
        var regexp = RegexpPattern.Anchored(pattern);
        Assert.True(regexp.IsMatch(Encoding.UTF8.GetBytes(matching)));
        Assert.False(regexp.IsMatch(Encoding.UTF8.GetBytes(other)));
    }

    [Fact]
    public void An_expression_that_makes_backtracking_explode_takes_linear_time()
    {
        var regexp = RegexpPattern.Anchored("(a|aa|a*)*b");
        Assert.False(regexp.IsMatch(Encoding.UTF8.GetBytes(new string('a', 5000))));
        Assert.True(regexp.IsMatch(Encoding.UTF8.GetBytes(new string('a', 5000) + "b")));
    }

    [Fact]
    public void Random_texts_are_read_or_refused_but_never_crash()
    {
        var random = new Random(4711);
        const string alphabet = "ab(|)[]{}*+?.^$\\-:^Pp<>=!,0123iUsmxQE é😀dwbzA";
        var good = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var source = new string([.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => alphabet[random.Next(alphabet.Length)])]);
            if (RegexpPattern.ProblemOf(source) is not null)
                continue;
            good++;
            if (i % 10 == 0)
                RegexpPattern.Anchored(source).TryExpand("ab", "$1", out _);
        }
        Assert.True(good > 1000);
    }
}
