using System.Data.Common;
using System.Net.Sockets;
using Commerce.ServiceDefaults;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class MySqlErrorsTests
{
    [Fact]
    public void The_number_is_read_from_the_data_of_the_exception() =>
        Assert.Equal(MySqlErrors.DuplicateKey, MySqlErrors.Number(new ServerError(1062)));

    [Fact]
    public void An_error_of_the_client_has_no_number() => Assert.Null(MySqlErrors.Number(new ServerError(null)));

    [Theory]
    [InlineData(MySqlErrors.Deadlock)]
    [InlineData(MySqlErrors.LockWaitTimeout)]
    [InlineData(MySqlErrors.ReadOnly)]
    [InlineData(MySqlErrors.ReadOnlyOption)]
    [InlineData(MySqlErrors.DiskFull)]
    [InlineData(MySqlErrors.TooManyConnections)]
    [InlineData(MySqlErrors.ConnectionBroken)]
    [InlineData(MySqlErrors.CommandTimeout)]
    public void Work_that_met_a_passing_trouble_may_be_repeated(int number) =>
        Assert.True(MySqlErrors.IsTransient(new InvalidOperationException("wrapped", new ServerError(number))));

    [Theory, InlineData(MySqlErrors.DuplicateKey), InlineData(1064), InlineData(1045), InlineData(null)]
    public void Work_that_is_wrong_may_not_be_repeated(int? number) => Assert.False(MySqlErrors.IsTransient(new ServerError(number)));

    [Fact]
    public void A_broken_connection_is_transient_wherever_it_shows()
    {
        Assert.True(MySqlErrors.IsTransient(new ServerError(null, new SocketException())));
        Assert.True(MySqlErrors.IsTransient(new ServerError(null, new EndOfStreamException())));
        Assert.True(MySqlErrors.IsTransient(new TimeoutException()));
        Assert.False(MySqlErrors.IsTransient(new InvalidOperationException()));
    }

    [Fact]
    public void An_exhausted_pool_is_transient() => Assert.True(MySqlErrors.IsTransient(new ServerError(
        null, message: "error connecting: Timeout expired.  The timeout period elapsed prior to obtaining a connection from the pool.")));

    sealed class ServerError : DbException
    {
        public ServerError(int? number, Exception? inner = null, string message = "server") : base(message, inner)
        {
            if (number is { } known)
                Data["Server Error Code"] = known;
        }
    }
}
