using Commerce.Core.Orders;

namespace Commerce.Tests.Unit.Orders;

/// <summary>What units of lines get back adds up to what was paid, in whatever portions.</summary>
public sealed class LineAmountsTests
{
    [Fact]
    public void All_portions_of_all_lines_add_up_to_the_total_and_none_gets_more_than_its_price()
    {
        for (var seed = 0; seed < 5_000; seed++)
        {
            // The same orders in every run.
            var dice = new Random(seed);
            var lines = Enumerable.Range(0, dice.Next(1, 6)).Select(_ => (Quantity: dice.Next(1, 8), Price: Price(dice))).ToList();
            var sum = lines.Sum(l => l.Quantity * l.Price);
            var total = dice.NextInt64(0, sum + 1);
            var amounts = LineAmounts.Split(total, [.. lines.Select(l => l.Quantity * l.Price)]);
            Assert.Equal(total, amounts.Sum());

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
        var amounts = LineAmounts.Split(3 * 3_333 + 2 * 7_777, [3 * 3_333, 2 * 7_777]);

        Assert.Equal([3_333, 3_333, 3_333], Enumerable.Range(0, 3).Select(i => LineAmounts.Of(amounts[0], 3, i, 1)));
        Assert.Equal([7_777, 7_777], Enumerable.Range(0, 2).Select(i => LineAmounts.Of(amounts[1], 2, i, 1)));
    }
}
