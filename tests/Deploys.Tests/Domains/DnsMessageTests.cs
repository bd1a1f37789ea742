using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>What a server or a forger may send: it is understood, refused or left aside, and never more than that.</summary>
public sealed class DnsMessageTests
{
    private const ushort Id = 0x1234;
    private const string Name = "app.example.org";

    /// <summary>app.example.org is an alias of edge.example.net (written with pointers), which has an address; and a text of two strings.</summary>
    private static readonly byte[] Good =
    [
        0x12, 0x34, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0,
        3, (byte)'a', (byte)'P', (byte)'p', 7, .. "example"u8, 3, .. "org"u8, 0, 0, 1, 0, 1,
        0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 18, 4, .. "edge"u8, 7, .. "example"u8, 3, .. "net"u8, 0,
        0xC0, 45, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7,
        0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, 6, 2, (byte)'o', (byte)'n', 2, (byte)'c', (byte)'e',
    ];

    [Fact]
    public void An_answer_is_read_with_its_pointers_and_in_lower_case()
    {
        var answer = Assert.IsType<DnsReading.Answered>(Read(Good)).Answer;
        Assert.Equal(
            [new DnsRecord(Name, DnsType.Cname, "edge.example.net"), new DnsRecord("edge.example.net", DnsType.A, "192.0.2.7"), new DnsRecord(Name, DnsType.Txt, "once")],
            answer.Records);
        Assert.Equal(DnsOutcome.Found, answer.Outcome);
    }

    [Fact]
    public void A_question_is_what_the_standard_says()
    {
        Assert.Equal([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, .. "app"u8, 7, .. "example"u8, 3, .. "org"u8, 0, 0, 28, 0, 1], DnsMessage.Ask(Id, Name, DnsType.Aaaa)!);
        foreach (var bad in (string[])["", "a..b", ".a", "a.", new string('a', 64), string.Join('.', Enumerable.Repeat(new string('a', 60), 5)), "ä.org", "a\\046b.org"])
            Assert.Null(DnsMessage.Ask(Id, bad, DnsType.A));
        Assert.NotNull(DnsMessage.Ask(Id, $"{new string('a', 63)}.org", DnsType.A));
    }

    [Theory]
    [InlineData(0, nameof(DnsOutcome.NoData))]
    [InlineData(3, nameof(DnsOutcome.NoName))]
    [InlineData(2, nameof(DnsOutcome.Failed))]
    [InlineData(5, nameof(DnsOutcome.Failed))]
    [InlineData(4, nameof(DnsOutcome.Failed))]
    public void How_it_ended_is_told_apart(int code, string expected)
    {
        var bytes = Bare();
        bytes[3] = (byte)(0x80 | code);
        Assert.Equal(Enum.Parse<DnsOutcome>(expected), Assert.IsType<DnsReading.Answered>(Read(bytes)).Answer.Outcome);
    }

    [Fact]
    public void What_answers_another_question_is_left_aside()
    {
        Assert.IsType<DnsReading.NotOurs>(DnsMessage.Read(Good, Id + 1, Name, DnsType.A));
        Assert.IsType<DnsReading.NotOurs>(DnsMessage.Read(Good, Id, "other.example.org", DnsType.A));
        Assert.IsType<DnsReading.NotOurs>(DnsMessage.Read(Good, Id, Name, DnsType.Aaaa));
        foreach (var (at, value) in ((int, byte)[])[(2, 0x01), (2, 0x91), (5, 0), (5, 2), (32, 3)])
        {
            var changed = (byte[])Good.Clone();
            changed[at] = value;
            Assert.IsType<DnsReading.NotOurs>(Read(changed));
        }
        var cut = (byte[])Good.Clone();
        cut[2] |= 2;
        Assert.IsType<DnsReading.Truncated>(Read(cut));
    }

    [Fact]
    public void Pointers_cannot_lead_in_circles_forward_or_out()
    {
        // The owner of the first record, which stands at 33.
        foreach (var (high, low) in ((byte, byte)[])[(0xC0, 33), (0xC0, 34), (0xC0, 200), (0xFF, 0xFF), (0x80, 12), (0x40, 12)])
        {
            var changed = (byte[])Good.Clone();
            (changed[33], changed[34]) = (high, low);
            Assert.IsType<DnsReading.Malformed>(Read(changed));
        }
        // Two pointers that lead to each other: 33 to 45, whose name is made a pointer back.
        var circle = (byte[])Good.Clone();
        (circle[45], circle[46]) = (0xC0, 63);
        (circle[63], circle[64]) = (0xC0, 45);
        Assert.IsType<DnsReading.Malformed>(Read(circle));
    }

    [Fact]
    public void Lengths_that_lie_make_it_malformed()
    {
        // Of the alias, of the address, of the text, and of a string within the text.
        foreach (var (at, value) in ((int, byte)[])[(44, 17), (44, 19), (44, 255), (74, 5), (74, 3), (90, 5), (90, 200), (91, 9)])
        {
            var changed = (byte[])Good.Clone();
            changed[at] = value;
            Assert.IsNotType<DnsReading.NotOurs>(Read(changed));
            Assert.True(Read(changed) is DnsReading.Malformed, $"{value} at {at} was taken: {Read(changed)}");
        }
        for (var length = 33; length < Good.Length; length++)
            Assert.IsType<DnsReading.Malformed>(Read(Good.AsSpan(0, length)));
    }

    [Fact]
    public void Nothing_that_comes_does_harm()
    {
        var random = new Random(20260721);
        var understood = 0;
        for (var round = 0; round < 50_000; round++)
        {
            var bytes = (byte[])Good.Clone();
            for (var change = random.Next(1, 6); change > 0; change--)
                bytes[random.Next(bytes.Length)] = random.Next(4) == 0 ? (byte)0xC0 : (byte)random.Next(256);
            if (random.Next(3) == 0)
                bytes = bytes[..random.Next(bytes.Length)];
            if (DnsMessage.Read(bytes, Id, Name, DnsType.A) is not DnsReading.Answered { Answer: var answer })
                continue;
            understood++;
            Assert.All(answer.Records, r => Assert.True(r.Name.Length <= 1024 && r.Value.Length <= 4096 && Enum.IsDefined(r.Type)));
        }
        Assert.InRange(understood, 1_000, 49_000);
    }

    private static DnsReading Read(ReadOnlySpan<byte> bytes) => DnsMessage.Read(bytes, Id, Name, DnsType.A);

    /// <summary>Only the question comes back.</summary>
    private static byte[] Bare()
    {
        var bytes = Good[..33];
        bytes[7] = 0;
        return bytes;
    }
}
