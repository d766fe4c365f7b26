namespace Commerce.Bench;

/// <summary>Orders, payments and outbox: <c>./commerce bench orders</c>.</summary>
static class OrdersBench
{
    /// <param name="quick">Fewer rows and shorter rounds.</param>
    /// <param name="part"><c>outbox</c> (the relay's part) or <c>purchases</c> runs only this part and writes no results. Null runs all
    /// parts.</param>
    public static async Task<int> RunAsync(bool quick, string? part = null)
    {
        await using var stack = await BenchStack.StartAsync();
        var figures = new Figures();
        if (part is not "purchases") await new OutboxBench(stack, quick, figures).RunAsync();
        if (part is "purchases") await new OrderBench(stack, quick, figures).RunPurchasesAsync();
        if (part is null)
        {
            await new OrderBench(stack, quick, figures).RunAsync();
            await figures.WriteAsync("orders");
        }

        return figures.Missed ? 1 : 0;
    }
}
