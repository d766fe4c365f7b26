namespace Commerce.Core.Orders;

/// <summary>
/// What the lines of an order have paid, and what their units get back. Both follow one rule: a part gets what the whole has up to its end, rounded down,
/// minus what the whole has up to its beginning, rounded down. So the parts add up to the whole to the won, in whatever portions it is refunded.
/// </summary>
public static class LineAmounts
{
    /// <summary>
    /// What each line has paid after the discount. The discount is shared by the lines that the coupon applies to, by their share of the price before it.
    /// </summary>
    /// <param name="discount">Whole KRW: at most what these lines cost.</param>
    /// <param name="lines">Whole KRW of each line before the discount, and whether the coupon applies to it.</param>
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

    /// <summary>What <paramref name="units"/> of a line get back after <paramref name="refunded"/> of them.</summary>
    /// <param name="amount">What the line has paid, in whole KRW.</param>
    /// <param name="quantity">The units of the line.</param>
    public static long Of(long amount, int quantity, int refunded, int units) => Share(amount, refunded + units, quantity) - Share(amount, refunded, quantity);

    static long Share(long whole, long part, long of) => (long)((Int128)whole * part / of);
}
