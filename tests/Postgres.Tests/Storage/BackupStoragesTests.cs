using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Postgres.Tests.Storage;

public sealed class BackupStoragesTests
{
    [Theory]
    [InlineData("/srv/backups")]
    [InlineData("/srv/back ups/größe")]
    [InlineData("file:///srv/backups")]
    [InlineData("file:///srv/back%20ups/")]
    [InlineData("s3://bucket")]
    [InlineData("s3://bucket/")]
    [InlineData("s3://my.bucket-1/some/prefix")]
    [InlineData("s3://bucket/prefix/", "https://s3.example.com", "eu-central-1")]
    [InlineData("s3://bucket", "http://127.0.0.1:9000/")]
    public void These_name_a_storage(string url, string? endpoint = null, string? region = null) =>
        Assert.Empty(BackupStorages.Judge(new(url, endpoint, region)).Problems);

    [Theory]
    [InlineData("", "url")]
    [InlineData("backups", "url")]
    [InlineData("./backups", "url")]
    [InlineData("/", "url")]
    [InlineData("file:///", "url")]
    [InlineData("file://host/backups", "url")]
    [InlineData("/srv/../etc", "url")]
    [InlineData("file:///srv/%2e%2e/etc", "url")]
    [InlineData("/srv/\0", "url")]
    [InlineData("/srv/backups", "endpoint", "http://127.0.0.1:9000")]
    [InlineData("/srv/backups", "region", null, "eu-central-1")]
    [InlineData("s3://", "url")]
    [InlineData("s3:///prefix", "url")]
    [InlineData("s3://Bucket", "url")]
    [InlineData("s3://b", "url")]
    [InlineData("s3://bucket//prefix", "url")]
    [InlineData("s3://bucket/../other", "url")]
    [InlineData("s3://bucket/a?b=c", "url")]
    [InlineData("s3://bucket", "endpoint", "127.0.0.1:9000")]
    [InlineData("s3://bucket", "endpoint", "ftp://127.0.0.1")]
    [InlineData("s3://bucket", "endpoint", "http://127.0.0.1:9000/path")]
    [InlineData("s3://bucket", "region", null, "eu central")]
    [InlineData("https://bucket.example.com/prefix", "url")]
    public void These_do_not(string url, string path, string? endpoint = null, string? region = null)
    {
        var problem = Assert.Single(BackupStorages.Judge(new(url, endpoint, region)).Problems);
        Assert.Equal(("bad-storage", path), (problem.Code, problem.Path));
        Assert.NotEmpty(problem.Fix);
        var e = Assert.Throws<BackupStorageException>(() => BackupStorages.Open(new(url, endpoint, region), new Secret("a:b"), TimeProvider.System));
        Assert.Equal(StorageFailure.Refused, e.Failure);
    }

    [Theory]
    [InlineData("s3://key:hidden@bucket/prefix", null)]
    [InlineData("s3://bucket/hidden@", null)]
    [InlineData("https://key:hidden@example.com", null)]
    [InlineData("s3://bucket", "http://key:hidden@127.0.0.1")]
    public void Credentials_in_an_address_are_refused_and_not_shown(string url, string? endpoint)
    {
        var problem = Assert.Single(BackupStorages.Judge(new(url, endpoint)).Problems);
        Assert.DoesNotContain("hidden", problem.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("only-one")]
    [InlineData("access:")]
    [InlineData(":secret")]
    public void Credentials_of_a_bucket_are_two(string? credentials)
    {
        var e = Assert.Throws<BackupStorageException>(() => BackupStorages.Open(new("s3://bucket"), credentials is null ? null : new Secret(credentials), TimeProvider.System));
        Assert.Equal(StorageFailure.Refused, e.Failure);
        Assert.Contains("access key:secret key", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_place_is_shown_without_credentials()
    {
        using var storage = BackupStorages.Open(new("s3://bucket/prefix/", "http://127.0.0.1:9000"), new Secret("access:secret"), TimeProvider.System);
        Assert.Equal("s3://bucket/prefix of http://127.0.0.1:9000", storage.Place);
    }
}
