using Groundcrew.Edge.Acme;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>When a certificate is asked for next.</summary>
public sealed class RenewalPlanTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly AcmeProblem Failure = new("urn:ietf:params:acme:error:dns", "No such name.", 400);

    /// <summary>Life in hours; minutes between the start and each failure; seconds to wait; chance; the next attempt in minutes from the start.</summary>
    public static TheoryData<double, double[], int?, double, double> Cases => new()
    {
        // Nothing failed.
        { 90 * 24, [], null, 0, 60 * 24 * 60 },
        { 6 * 24, [], null, 0.9, 4 * 24 * 60 },
        { 1, [], null, 0, 40 },
        // The first certificate: a minute, doubling; chance takes up to half of it.
        { 0, [0], null, 0, 1 },
        { 0, [0], null, 0.5, 0.75 },
        { 0, [0, 1], null, 0, 3 },
        { 0, [0, 1, 3], null, 0, 7 },
        { 0, [0, 1, 3, 7], null, 0, 15 },
        // The fifth failure fills the hour that began with the first.
        { 0, [0, 1, 3, 7, 15], null, 0, 60 },
        { 0, [0, 1, 3, 7, 15, 60], null, 0, 92 },
        { 0, [0, 1, 3, 7, 15, 60, 92], null, 0, 152 },
        { 0, [0, 1, 3, 7, 15, 60, 92, 152, 212, 272], null, 0, 332 },
        // What the authority says counts when it is later.
        { 0, [0], 30, 0, 1 },
        { 0, [0], 7200, 0, 120 },
        // A renewal that fails waits longer in the end, but leaves room for eight attempts.
        { 90 * 24, [60 * 24 * 60], null, 0, (60 * 24 * 60) + 1 },
        { 90 * 24, [86400, 86401, 86403, 86407, 86415, 86500, 86600, 86700, 86800, 86900], null, 0, 86900 + 360 },
        { 24, [960, 961, 963, 967, 975, 1020, 1060, 1100, 1130], null, 0, 1190 },
        // It expired: the urgent pace again.
        { 24, [1500, 1501, 1503, 1507, 1600, 1700, 1800, 1900], null, 0, 1960 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_next_attempt_is_where_the_table_says(double lifeHours, double[] failures, int? waitSeconds, double chance, double expectedMinutes)
    {
        var state = lifeHours == 0 ? RenewalState.New : RenewalState.AfterSuccess(Start, Start.AddHours(lifeHours));
        for (var i = 0; i < failures.Length; i++)
        {
            var isLast = i == failures.Length - 1;
            state = state.AfterFailure(Start.AddMinutes(failures[i]), Failure with { RetryAfter = isLast && waitSeconds is { } s ? TimeSpan.FromSeconds(s) : null });
        }
        Assert.Equal(Start.AddMinutes(expectedMinutes), RenewalPlan.NextAttempt(state, chance));
    }

    [Fact]
    public void The_first_certificate_is_asked_for_at_once() =>
        Assert.Equal(DateTimeOffset.MinValue, RenewalPlan.NextAttempt(RenewalState.New, 0));

    [Fact]
    public void A_certificate_forgets_what_failed_before_it()
    {
        var state = RenewalState.AfterSuccess(Start, Start.AddDays(90));
        Assert.Empty(state.Failures);
        Assert.Null(state.WaitUntil);
    }

    [Fact]
    public void A_rate_limit_whose_end_is_not_told_waits_an_hour()
    {
        var state = RenewalState.New.AfterFailure(Start, new AcmeProblem(AcmeProblem.RateLimitedType, "Too many.", 429));
        Assert.Equal(Start.AddHours(1), RenewalPlan.NextAttempt(state, 0.99));
    }

    [Fact]
    public void A_rate_limit_that_says_now_is_no_invitation_to_hammer()
    {
        var state = RenewalState.New.AfterFailure(Start, new AcmeProblem(AcmeProblem.RateLimitedType, "Too many.", 429, TimeSpan.Zero));
        Assert.Equal(Start.AddMinutes(1), RenewalPlan.NextAttempt(state, 0));
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1)]
    [InlineData(double.NaN)]
    public void A_chance_that_is_none_is_refused(double chance) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => RenewalPlan.NextAttempt(RenewalState.New, chance));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(24)]
    [InlineData(90 * 24)]
    public void Never_do_more_than_five_attempts_fail_within_an_hour_and_never_do_they_stop(int lifeHours)
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            var state = lifeHours == 0 ? RenewalState.New : RenewalState.AfterSuccess(Start, Start.AddHours(lifeHours));
            var (now, failures) = (Start, new List<DateTimeOffset>());
            for (var i = 0; i < 200; i++)
            {
                var next = RenewalPlan.NextAttempt(state, random.NextDouble());
                Assert.True(i == 0 || next - now <= TimeSpan.FromHours(6), $"seed {seed}: {next - now}");
                now = next > now ? next : now;
                failures.Add(now);
                Assert.True(failures.Count(f => f > now - RenewalPlan.FailureWindow) <= RenewalPlan.MostFailures, $"seed {seed}, attempt {i}");
                state = state.AfterFailure(now, Failure);
            }
        }
    }
}
