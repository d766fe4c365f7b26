using System.Data;
using Commerce.Core.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Commerce.Core.Catalog;

/// <summary>The catalogue's access to MySQL. Each unit of work has its own pooled context.</summary>
public sealed class CatalogSession(IServiceScopeFactory scopes, MySqlDatabase database, DatabaseOptions options)
{
    /// <summary>Runs a query.</summary>
    internal async Task<T> ReadAsync<T>(Func<CatalogDbContext, Task<T>> read)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await read(scope.ServiceProvider.GetRequiredService<CatalogDbContext>());
    }

    /// <summary>
    /// Changes a definition and runs SQL of the sale on one connection, in one transaction. Retries like
    /// <see cref="MySqlDatabase.ExecuteInTransactionAsync"/>.
    /// </summary>
    internal Task<T> ExecuteInTransactionAsync<T>(Func<CatalogDbContext, DbSession, Task<T>> work, CancellationToken cancellationToken) =>
        database.RetryOnConflictAsync(token => ReadAsync(async context =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.ReadCommitted, token);
            var action = AdministrativeAction.Current;
            action?.ExpectChange();
            var session = new DbSession(transaction.GetDbTransaction(), options, token);
            var result = await work(context, session);
            var recorded = action is { HasChanged: true } ? action : null;
            if (recorded is not null)
                foreach (var statement in recorded.ToStatements()) await session.ExecuteAsync(statement);
            await transaction.CommitAsync(token);
            recorded?.Committed();
            return result;
        }), cancellationToken);
}
