namespace Commerce.Bench;

/// <summary>What lies behind an order: <c>./commerce bench orders</c>.</summary>
static class OrdersBench
{
    /// <param name="quick">Fewer rows and shorter rounds.</param>
    /// <param name="outboxAlone">Only the relay's part, on the screen; no results are written.</param>
    public static async Task<int> RunAsync(bool quick, bool outboxAlone = false)
    {
        await using var stack = await BenchStack.StartAsync();
        var (figures, ceilings) = (new List<Figure>(), new List<Figure>());
        await new OutboxBench(stack, quick, figures, ceilings).RunAsync();
        if (outboxAlone) return figures.Any(f => f.Met == false) ? 1 : 0;
        await new OrderBench(stack, quick, figures, ceilings).RunAsync();
        await new Report("orders", TimeProvider.System.GetUtcNow(), await Report.HardwareAsync(), figures, ceilings).WriteAsync("bench/results");
        return figures.Any(f => f.Met == false) ? 1 : 0;
    }
}
