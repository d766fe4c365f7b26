namespace Commerce.Core.Orders;

/// <summary>
/// Divides an amount over lines and units without losing a won. Each part gets the cumulative amount at its end minus the cumulative
/// amount at its start, both rounded down. So the parts always add up to the whole, however they are refunded.
/// </summary>
public static class LineAmounts
{
    /// <summary>
    /// Splits the paid amount over the lines. The lines that the coupon applies to share the discount in proportion to their price.
    /// </summary>
    /// <param name="discount">Whole KRW. At most the price of the lines that the coupon applies to.</param>
    /// <param name="lines">For each line, its price before the discount in whole KRW, and whether the coupon applies to it.</param>
    /// <returns>The amount paid for each line, in whole KRW.</returns>
    public static IReadOnlyList<long> Split(long discount, IReadOnlyList<(long Price, bool Discounted)> lines)
    {
        var sum = lines.Where(l => l.Discounted).Sum(l => l.Price);
        var (amounts, end) = (new long[lines.Count], 0L);
        for (var i = 0; i < amounts.Length; i++)
        {
            var begin = end;
            if (lines[i].Discounted) end += lines[i].Price;
            amounts[i] = lines[i].Discounted ? Share(sum - discount, end, sum) - Share(sum - discount, begin, sum) : lines[i].Price;
        }

        return amounts;
    }

    /// <summary>
    /// Calculates the refund for <paramref name="units"/> of a line after <paramref name="refunded"/> units were refunded before, in
    /// whole KRW.
    /// </summary>
    /// <param name="amount">The amount paid for the line, in whole KRW.</param>
    /// <param name="quantity">The number of units of the line.</param>
    public static long Of(long amount, int quantity, int refunded, int units) => Share(amount, refunded + units, quantity) - Share(amount, refunded, quantity);

    static long Share(long whole, long part, long of) => (long)((Int128)whole * part / of);
}
