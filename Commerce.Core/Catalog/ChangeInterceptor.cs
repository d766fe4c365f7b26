using System.Data.Common;
using Commerce.Core.Database;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Commerce.Core.Catalog;

/// <summary>Tells the current <see cref="AdministrativeAction"/> that EF Core has changed something.</summary>
sealed class ChangeInterceptor : DbCommandInterceptor
{
    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
    {
        if (eventData.CommandSource == CommandSource.SaveChanges) AdministrativeAction.Current?.NoteChange();
        return new(result);
    }

    public override ValueTask<int> NonQueryExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        if (result > 0) AdministrativeAction.Current?.NoteChange();
        return new(result);
    }
}
