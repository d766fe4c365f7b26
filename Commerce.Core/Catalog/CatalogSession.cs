using System.Data;
using Commerce.Core.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Core.Catalog;

/// <summary>How the catalogue reaches MySQL. Each piece of work has a context of its own, from the pool.</summary>
public sealed class CatalogSession(IServiceScopeFactory scopes, MySqlDatabase database, DatabaseOptions options)
{
    /// <summary>Runs a query.</summary>
    internal async Task<T> ReadAsync<T>(Func<CatalogDbContext, Task<T>> read)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await read(scope.ServiceProvider.GetRequiredService<CatalogDbContext>());
    }

    /// <summary>
    /// The same as <see cref="MySqlDatabase.ExecuteInTransactionAsync"/>, for changes of a definition and what the sale commits with them in SQL: both use one connection
    /// and one transaction.
    /// </summary>
    internal Task<T> ExecuteInTransactionAsync<T>(Func<CatalogDbContext, DbSession, Task<T>> work, CancellationToken cancellationToken) =>
        database.RetryOnConflictAsync(token => ReadAsync(async context =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.ReadCommitted, token);
            var result = await work(context, new DbSession(context.Database.GetDbConnection(), transaction.GetDbTransaction(), options, token));
            await transaction.CommitAsync(token);
            return result;
        }), cancellationToken);
}
