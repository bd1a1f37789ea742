using System.Text;
using Groundcrew.Contract.Manifest;
using Xunit;

namespace Groundcrew.Contract.Tests.Manifest;

public sealed class ManifestFuzzTests
{
    private const int Rounds = 5000;

    private static readonly string[] Pieces =
    [
        "\n", "\t", "  ", ": ", "- ", "---\n", "...\n", "&a ", "*a", "!!int ", "!", "? ", "[", "]", "{", "}", "\"", "'", "#", "|\n", ">\n", "%YAML 1.2\n", "<<: ",
        "\0", "\uFEFF", "\uD800", "\"\\U0010FFFF\"", "\"\\x0\"", "${", "99999999999999999999", "-1", "1e9", "null", "~", "\r\n", "\u0085", "\u2028", ",", "`", "@",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_damaged_manifest_is_judged_and_never_throws(int seed)
    {
        var random = new Random(seed);
        var good = ManifestCase.All.Where(one => one.IsGood).Select(one => one.Yaml).Append(ManifestReference.Example()).ToList();
        for (var round = 0; round < Rounds; round++)
        {
            var text = Damaged(good[random.Next(good.Count)], random);
            try
            {
                var judged = ManifestReader.Read(text, "crew.yaml");
                Assert.True(judged.Value is null != (judged.Problems.Count == 0));
            }
            catch (Exception surprise) when (surprise is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"Seed {seed}, round {round}: {surprise}\n{text}");
            }
        }
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("- ")]
    [InlineData("? ")]
    public void A_deep_nest_is_refused(string opening)
    {
        var judged = ManifestReader.Read(string.Concat(Enumerable.Repeat(opening, ManifestReader.MaxBytes / opening.Length)), "crew.yaml");
        Assert.NotEmpty(judged.Problems);
    }

    [Fact]
    public void A_wide_file_of_nothing_known_is_refused_whole()
    {
        var yaml = new StringBuilder("system: acme\nservices:\n  web:\n    run: ./web\n");
        for (var i = 0; i < 5000; i++)
            yaml.Append($"    key{i}: 1\n");
        Assert.Equal(5000, ManifestReader.Read(yaml.ToString(), "crew.yaml").Problems.Count);
    }

    private static string Damaged(string good, Random random)
    {
        var text = new StringBuilder(good);
        for (var wounds = random.Next(1, 6); wounds > 0; wounds--)
        {
            if (text.Length == 0)
                text.Append('\n');
            var at = random.Next(text.Length);
            var length = Math.Min(random.Next(1, 12), text.Length - at);
            switch (random.Next(5))
            {
                case 0:
                    text.Remove(at, length);
                    break;
                case 1:
                    text.Insert(at, Pieces[random.Next(Pieces.Length)]);
                    break;
                case 2:
                    text[at] = (char)random.Next(1, 0x180);
                    break;
                case 3:
                    text.Insert(random.Next(text.Length), text.ToString(at, length));
                    break;
                default:
                    text.Length = Math.Max(1, at);
                    break;
            }
        }
        return text.ToString();
    }
}
