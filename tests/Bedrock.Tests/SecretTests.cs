using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class SecretTests : IDisposable
{
    private const string Value = "s3cr3t-välue";
    private readonly TempFolder _folder = new();

    public sealed record Login(string User, Secret Password);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_secret_shows_itself_in_no_text()
    {
        var login = new Login("ada", new Secret(Value));
        Assert.Equal("[secret]", login.Password.ToString());
        Assert.Equal("[secret]", $"{login.Password}");
        Assert.DoesNotContain(Value, login.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(Value, new InvalidOperationException($"{login} is refused").ToString(), StringComparison.Ordinal);
        Assert.Equal(Value, login.Password.Reveal());
    }

    [Fact]
    public void A_secret_is_read_from_JSON_and_never_written_to_it()
    {
        var login = JsonSerializer.Deserialize<Login>($$"""{"user":"ada","password":"{{Value}}"}""", Json.Options)!;
        Assert.Equal(Value, login.Password.Reveal());
        Assert.Equal("""{"user":"ada","password":"[secret]"}""", JsonSerializer.Serialize(login, Json.Options));
        Assert.DoesNotContain(Value, JsonSerializer.Serialize(new Dictionary<string, object> { ["x"] = login.Password }), StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_are_equal_by_their_values()
    {
        Assert.Equal(new Secret(Value), new Secret(Value));
        Assert.Equal(new Secret(Value).GetHashCode(), new Secret(Value).GetHashCode());
        Assert.NotEqual(new Secret(Value), new Secret(Value + "x"));
        Assert.False(new Secret(Value).Equals(null));
    }

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("a longer one, with ünïcode and\nlines")]
    public void What_was_sealed_is_opened_by_the_same_key_and_context(string value)
    {
        var sealedValue = Box("key").Seal(new Secret(value), "acme/web/TOKEN");
        Assert.Equal(value, Box("key").Unseal(sealedValue, "acme/web/TOKEN").Reveal());
        if (value.Length > 0)
            Assert.Equal(-1, sealedValue.AsSpan().IndexOf(Encoding.UTF8.GetBytes(value)));
    }

    [Fact]
    public void The_same_secret_is_never_sealed_the_same_way()
    {
        var box = Box("key");
        Assert.NotEqual(box.Seal(new Secret(Value), "c"), box.Seal(new Secret(Value), "c"));
    }

    [Fact]
    public void A_change_of_any_byte_is_seen()
    {
        var box = Box("key");
        var whole = box.Seal(new Secret(Value), "c");
        for (var i = 0; i < whole.Length; i++)
        {
            var changed = whole.ToArray();
            changed[i] ^= 1;
            Assert.ThrowsAny<CryptographicException>(() => box.Unseal(changed, "c"));
        }
        for (var length = 0; length < whole.Length; length++)
            Assert.ThrowsAny<CryptographicException>(() => box.Unseal(whole.AsSpan(0, length), "c"));
    }

    [Fact]
    public void Another_context_or_another_key_does_not_open_it()
    {
        var sealedValue = Box("key").Seal(new Secret(Value), "acme/web/TOKEN");
        Assert.ThrowsAny<CryptographicException>(() => Box("key").Unseal(sealedValue, "acme/api/TOKEN"));
        Assert.ThrowsAny<CryptographicException>(() => Box("other").Unseal(sealedValue, "acme/web/TOKEN"));
    }

    [Fact]
    public void The_key_file_is_private_and_stays_the_same()
    {
        _ = Box("key");
        var bytes = File.ReadAllBytes(_folder["key"]);
        _ = Box("key");
        Assert.Equal(32, bytes.Length);
        Assert.Equal(bytes, File.ReadAllBytes(_folder["key"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["key"]));
    }

    [Fact]
    public void A_file_that_is_no_key_is_refused_and_left_alone()
    {
        File.WriteAllText(_folder["key"], "short");
        var thrown = Assert.Throws<InvalidDataException>(() => Box("key"));
        Assert.Contains("5 bytes", thrown.Message, StringComparison.Ordinal);
        Assert.Equal("short", File.ReadAllText(_folder["key"]));
    }

    private SealedBox Box(string key) => SealedBox.Open(_folder[key], DurableFiles.Real);
}
