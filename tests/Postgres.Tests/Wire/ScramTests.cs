using Groundcrew.Bedrock;
using Groundcrew.Postgres.OnNode;
using Xunit;

namespace Groundcrew.Postgres.Tests.Wire;

/// <summary>The login by SCRAM-SHA-256, against the example of RFC 7677.</summary>
public sealed class ScramTests
{
    private const string ServerFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    [Fact]
    public void The_example_of_the_RFC_is_proven_and_checked()
    {
        var scram = new Scram(new Secret("pencil"), "user", "rOprNGfwEbeRWgbNEkqO");
        Assert.Equal("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", scram.First);
        Assert.Equal(
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", scram.Prove(ServerFirst));
        scram.Check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    [Theory]
    [InlineData("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95H4=")]
    [InlineData("v=")]
    [InlineData("e=other-error")]
    [InlineData("")]
    public void A_server_that_does_not_know_the_password_is_found_out(string last)
    {
        var scram = new Scram(new Secret("pencil"), "user", "rOprNGfwEbeRWgbNEkqO");
        scram.Prove(ServerFirst);
        Assert.Throws<WireException>(() => scram.Check(last));
    }

    [Theory]
    [InlineData("r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")]
    [InlineData("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")]
    [InlineData("r=rOprNGfwEbeRWgbNEkqOx,s=***,i=4096")]
    [InlineData("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0")]
    [InlineData("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999")]
    [InlineData("")]
    public void A_first_answer_that_is_none_is_refused(string first) =>
        Assert.Throws<WireException>(() => new Scram(new Secret("pencil"), "user", "rOprNGfwEbeRWgbNEkqO").Prove(first));

    [Fact]
    public void A_check_before_the_proof_is_refused() =>
        Assert.Throws<WireException>(() => new Scram(new Secret("pencil")).Check("v="));
}
