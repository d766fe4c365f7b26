namespace Commerce.Core.Orders;

/// <summary>
/// What the lines of an order have paid, and what their units get back. Both follow one rule: a part gets what the whole has up to its end, rounded down,
/// minus what the whole has up to its beginning, rounded down. So the parts add up to the whole to the won, in whatever portions it is refunded.
/// </summary>
public static class LineAmounts
{
    /// <summary>What each line has paid of the total after the discount, by its share of the price before it.</summary>
    /// <param name="total">Whole KRW after the discount.</param>
    /// <param name="prices">Whole KRW of each line before the discount.</param>
    public static IReadOnlyList<long> Split(long total, IReadOnlyList<long> prices)
    {
        var sum = prices.Sum();
        var (amounts, end) = (new long[prices.Count], 0L);
        for (var i = 0; i < amounts.Length; i++)
        {
            var begin = end;
            end += prices[i];
            amounts[i] = Share(total, end, sum) - Share(total, begin, sum);
        }

        return amounts;
    }

    /// <summary>What <paramref name="units"/> of a line get back after <paramref name="refunded"/> of them.</summary>
    /// <param name="amount">What the line has paid, in whole KRW.</param>
    /// <param name="quantity">The units of the line.</param>
    public static long Of(long amount, int quantity, int refunded, int units) => Share(amount, refunded + units, quantity) - Share(amount, refunded, quantity);

    static long Share(long whole, long part, long of) => (long)((Int128)whole * part / of);
}
