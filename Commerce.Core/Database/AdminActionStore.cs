namespace Commerce.Core.Database;

/// <summary>A recorded action of an administrator.</summary>
/// <param name="Action">The operationId of the request.</param>
/// <param name="Subject">What was changed: <c>orders/ID</c>, <c>coupons/ID</c>, and so on.</param>
/// <param name="Reason">The reason given in the request, or null.</param>
public sealed record AdminAction(long Id, string Actor, string Action, string Subject, string? Reason, DateTime CreatedAt);

/// <summary>The table <c>admin_action</c>.</summary>
public sealed class AdminActionStore(MySqlDatabase database)
{
    /// <summary>No other statement uses its parameter names, so it can be sent together with others.</summary>
    internal static readonly string Insert =
        "INSERT INTO admin_action (actor, action, subject, reason) VALUES (@byAdministrator, @administratorAction, @actionSubject, @actionReason)";

    /// <summary>Lists the newest actions with an id below <paramref name="before"/>. Null means any actor or subject.</summary>
    public Task<IReadOnlyList<AdminAction>> ListAsync(string? actor, string? subject, long? before, int limit, CancellationToken cancellationToken) =>
        // Unused conditions are omitted, because MySQL would not use an index with them.
        database.QueryAsync<AdminAction>($"""
            SELECT id AS Id, actor AS Actor, action AS Action, subject AS Subject, reason AS Reason, created_at AS CreatedAt FROM admin_action
            WHERE TRUE {(actor is null ? "" : "AND actor = @actor")} {(subject is null ? "" : "AND subject = @subject")} {(before is null ? "" : "AND id < @before")}
            ORDER BY id DESC LIMIT @limit
            """, new { actor, subject, before, limit }, cancellationToken);
}
