namespace Commerce.Tests.Integration;

/// <summary>The dashboard's commands.</summary>
public sealed class DeveloperCommandTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task A_demo_sale_sells_what_there_is()
    {
        var result = await Stack.App.ResourceCommands.ExecuteCommandAsync("api", "demo-sale", Cancelled);
        Assert.True(result.Success, result.Message);
        Assert.StartsWith("50 of 150 shoppers", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_audit_is_shown_as_a_table()
    {
        await CheckConsistencyAsync();
        var result = await Stack.App.ResourceCommands.ExecuteCommandAsync("api", "audit", Cancelled);
        Assert.True(result.Success, result.Message);
        Assert.Contains("| I1 | yes |", result.Data!.Value, StringComparison.Ordinal);
    }
}
