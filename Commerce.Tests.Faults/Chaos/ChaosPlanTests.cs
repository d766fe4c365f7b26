namespace Commerce.Tests.Faults.Chaos;

/// <summary>The plan of a seed.</summary>
public sealed class ChaosPlanTests
{
    [Fact]
    public void A_seed_stands_for_the_same_in_every_process()
    {
        // The expected values are constants, because the plan must be equal in every process.
        Assert.Equal([423, 388, 194], Enumerable.Range(0, 3).Select(step => ChaosPlan.Dice(7, 42, step).Next(1000)));
    }

    [Fact]
    public void Steps_users_and_seeds_have_dice_of_their_own()
    {
        var drawn = from seed in Enumerable.Range(1, 10) from user in Enumerable.Range(0, 10) from step in Enumerable.Range(0, 10)
                    select ChaosPlan.Dice(seed, user, step).Next();

        Assert.Equal(1000, drawn.Distinct().Count());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public void Three_seeds_in_a_row_have_every_fault(int first)
    {
        var seeds = Enumerable.Range(first, 3).ToList();

        Assert.Equal(ChaosFaults.All.ToHashSet(), seeds.SelectMany(ChaosPlan.Planned).ToHashSet());
        Assert.Equal(ChaosPlan.GatewayFaults.ToHashSet(), seeds.SelectMany(ChaosPlan.PlannedOfGateway).ToHashSet());
    }

    [Fact]
    public void A_long_run_has_every_fault()
    {
        var faults = ChaosPlan.Planned(5).Concat(ChaosPlan.More(5)).Take(ChaosFaults.All.Count).ToHashSet();

        Assert.Equal(ChaosFaults.All.ToHashSet(), faults);
    }

    [Fact]
    public void The_gateway_fails_in_every_way_that_the_sandbox_knows()
    {
        var known = new[]
        {
            "delay", "hang", "drop", "status5xx", "malformed", "empty", "approveThenHang", "approveThenDrop", "approveThen5xx", "approveThenMalformed",
            "approveThenEmpty", "wrongAmount", "wrongOrder", "code",
        };

        Assert.Equal(known.ToHashSet(), ChaosPlan.GatewayFaults.Select(f => f.Kind).ToHashSet());
    }
}
