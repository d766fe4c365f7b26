using System.Data.Common;
using Commerce.ServiceDefaults;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class MySqlErrorsTests
{
    [Fact]
    public void The_number_of_a_server_error_is_known() =>
        Assert.Equal(MySqlErrors.DuplicateKey, MySqlErrors.Number(new ServerError(1062)));

    [Fact]
    public void An_error_of_the_client_has_no_number() => Assert.Null(MySqlErrors.Number(new ServerError(null)));

    [Theory]
    [InlineData(1062, "23000")]
    [InlineData(1048, "23000")]
    [InlineData(1452, "23000")]
    [InlineData(1406, "22001")]
    [InlineData(1264, "22003")]
    [InlineData(1366, "HY000")]
    [InlineData(3140, "22032")]
    [InlineData(3819, "HY000")]
    [InlineData(1644, "45000")]
    public void Values_that_the_database_refuses_are_told_from_everything_else(int number, string state) => Assert.True(MySqlErrors.IsOfData(new ServerError(number, state)));

    [Theory]
    [InlineData(1213, "40001")]
    [InlineData(1146, "42S02")]
    [InlineData(1142, "42000")]
    [InlineData(1064, "42000")]
    [InlineData(null, null)]
    public void Everything_else_is_not_the_fault_of_the_values(int? number, string? state) => Assert.False(MySqlErrors.IsOfData(new ServerError(number, state)));
}

/// <summary>An error as MySqlConnector reports it.</summary>
sealed class ServerError : DbException
{
    readonly string? _state;

    public ServerError(int? number, string? state = null, Exception? inner = null, string message = "server") : base(message, inner)
    {
        _state = state;
        if (number is { } known) Data["Server Error Code"] = known;
    }

    public override string? SqlState => _state;
}
