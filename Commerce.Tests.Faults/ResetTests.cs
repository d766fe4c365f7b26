namespace Commerce.Tests.Faults;

/// <summary>The command of the dashboard that resets all data.</summary>
public sealed class ResetTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task A_reset_shop_has_only_the_seeded_products_and_sells_again()
    {
        var before = await OrderAsync("before-the-reset");

        var result = await Stack.App.ResourceCommands.ExecuteCommandAsync("api", "reset", Cancelled);
        Assert.True(result.Success, $"{result.Message} {string.Join('\n', (await Stack.LogAsync("reset")).TakeLast(20))}");
        await Stack.App.ResourceNotifications.WaitForResourceHealthyAsync("api", Cancelled);
        await Stack.App.ResourceNotifications.WaitForResourceHealthyAsync("workers", Cancelled);

        Assert.Equal(0, await Database.SingleAsync<int>("SELECT COUNT(*) FROM orders WHERE id = @OrderId", new { before.OrderId }, Cancelled));
        Assert.NotEqual(0, await Database.SingleAsync<int>("SELECT COUNT(*) FROM product", null, Cancelled));
        await PayAsync("after-the-reset");
        await CheckConsistencyAsync();
    }
}
