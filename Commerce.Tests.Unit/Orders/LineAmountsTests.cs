using Commerce.Core.Orders;

namespace Commerce.Tests.Unit.Orders;

/// <summary>The refunds of all units add up to the paid amount, in whatever portions they are made.</summary>
public sealed class LineAmountsTests
{
    [Fact]
    public void All_portions_of_all_lines_add_up_to_the_total_and_only_those_with_the_coupon_get_less_than_their_price()
    {
        for (var seed = 0; seed < 5_000; seed++)
        {
            // The seed makes the orders the same in every run.
            var dice = new Random(seed);
            var lines = Enumerable.Range(0, dice.Next(1, 6)).Select(_ => (Quantity: dice.Next(1, 8), Price: Price(dice))).ToList();
            var discounted = lines.ConvertAll(_ => dice.Next(3) > 0);
            var discount = dice.NextInt64(0, lines.Zip(discounted).Sum(l => l.Second ? l.First.Quantity * l.First.Price : 0) + 1);
            var total = lines.Sum(l => l.Quantity * l.Price) - discount;
            var amounts = LineAmounts.Split(discount, [.. lines.Zip(discounted, (l, d) => (l.Quantity * l.Price, d))]);
            Assert.Equal(total, amounts.Sum());
            Assert.All(lines.Zip(discounted, amounts), l => Assert.True(l.Second || l.Third == l.First.Quantity * l.First.Price));

            var back = 0L;
            foreach (var (line, amount) in lines.Zip(amounts))
            {
                Assert.InRange(amount, 0, line.Quantity * line.Price);
                for (var refunded = 0; refunded < line.Quantity;)
                {
                    var units = dice.Next(1, line.Quantity - refunded + 1);
                    var portion = LineAmounts.Of(amount, line.Quantity, refunded, units);
                    Assert.InRange(portion, 0, units * line.Price);
                    back += portion;
                    refunded += units;
                }
            }

            Assert.Equal(total, back);
        }

        static long Price(Random dice) => dice.Next(3) switch { 0 => dice.Next(1, 10), 1 => dice.Next(100, 100_000), _ => dice.NextInt64(1_000_000_000, 100_000_000_000) };
    }

    [Fact]
    public void Without_a_discount_every_unit_gets_its_price()
    {
        var amounts = LineAmounts.Split(0, [(3 * 3_333, true), (2 * 7_777, false)]);

        Assert.Equal([3_333, 3_333, 3_333], Enumerable.Range(0, 3).Select(i => LineAmounts.Of(amounts[0], 3, i, 1)));
        Assert.Equal([7_777, 7_777], Enumerable.Range(0, 2).Select(i => LineAmounts.Of(amounts[1], 2, i, 1)));
    }
}
