namespace Commerce.Bench;

/// <summary>What lies behind an order: <c>./commerce bench orders</c>.</summary>
static class OrdersBench
{
    public static async Task<int> RunAsync(bool quick)
    {
        await using var stack = await BenchStack.StartAsync();
        var (figures, ceilings) = (new List<Figure>(), new List<Figure>());
        await new OutboxBench(stack, quick, figures, ceilings).RunAsync();
        await new OrderBench(stack, quick, figures, ceilings).RunAsync();
        await new Report("orders", TimeProvider.System.GetUtcNow(), await Report.HardwareAsync(), figures, ceilings).WriteAsync("bench/results");
        return figures.Any(f => f.Met == false) ? 1 : 0;
    }
}
