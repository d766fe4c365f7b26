namespace Commerce.Bench;

/// <summary>What lies behind an order: <c>./commerce bench orders</c>.</summary>
static class OrdersBench
{
    /// <param name="quick">Fewer rows and shorter rounds.</param>
    /// <param name="outboxAlone">Only the relay's part, on the screen; no results are written.</param>
    public static async Task<int> RunAsync(bool quick, bool outboxAlone = false)
    {
        await using var stack = await BenchStack.StartAsync();
        var figures = new Figures();
        await new OutboxBench(stack, quick, figures).RunAsync();
        if (!outboxAlone)
        {
            await new OrderBench(stack, quick, figures).RunAsync();
            await figures.WriteAsync("orders");
        }

        return figures.Missed ? 1 : 0;
    }
}
