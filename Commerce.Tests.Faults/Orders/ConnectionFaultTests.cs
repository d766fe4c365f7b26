using System.Data.Common;
using Commerce.Core.Database;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Orders;

/// <summary>MySQL may close pooled connections at any time: after its wait_timeout, by a restart, or by an administrator.</summary>
public sealed class ConnectionFaultTests(CommerceStack stack) : StackTests(stack)
{
    const int NoSuchThread = 1094;

    [Fact]
    public async Task Nobody_notices_that_MySQL_has_closed_the_connections_of_the_pool()
    {
        var database = Stack.Services.GetRequiredService<MySqlDatabase>();
        var product = await Stack.ProductAsync(stock: 1_000);
        var users = (await Stack.UsersAsync("closed", 16)).Select(u => u.Impatient).ToList();
        for (var round = 0; round < 3; round++)
        {
            // There are as many connections as users, so that each user gets a closed one.
            await OrderAsync();
            Assert.True(0 < await database.ExecuteInTransactionAsync(async session =>
            {
                var idle = await session.QueryAsync<long>(
                    "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND command = 'Sleep' AND id <> CONNECTION_ID()");
                foreach (var id in idle) await KillAsync(session, id);
                return idle.Count;
            }, Cancelled));

            await OrderAsync();
        }

        await CheckConsistencyAsync();

        Task OrderAsync() => Task.WhenAll(users.Select(u => u.PlaceAsync(product.Id)));
    }

    static async Task KillAsync(DbSession session, long id)
    {
        try
        {
            await session.ExecuteAsync($"KILL {id}");
        }
        catch (DbException e) when (MySqlErrors.Number(e) == NoSuchThread)
        {
            // The connection has ended already.
        }
    }
}
