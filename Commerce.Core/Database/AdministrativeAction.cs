namespace Commerce.Core.Database;

/// <summary>
/// What an administrator is doing in this request. The first transaction of the request that changes something also inserts the row of
/// <c>admin_action</c>, so there is no change without its row and no row without its change. An action that changes nothing in MySQL gets its row at
/// its end.
/// </summary>
/// <param name="actor">Who.</param>
/// <param name="name">The operationId of the request.</param>
/// <param name="kind">What it concerns, as in the path of the request.</param>
/// <param name="id">Which one. Null: a created item is named later.</param>
/// <param name="reason">Where the request has one.</param>
public sealed class AdministrativeAction(string actor, string name, string kind, string? id, string? reason)
{
    static readonly AsyncLocal<AdministrativeAction?> Running = new();

    string? _id = id;
    bool _closed;

    /// <summary>The action of this request that has no row yet; null elsewhere.</summary>
    internal static AdministrativeAction? Current => Running.Value is { _closed: false } action ? action : null;

    /// <summary>Whether the running transaction has changed something.</summary>
    internal bool HasChanged { get; private set; }

    /// <summary>From now on the transactions of this request belong to the action.</summary>
    public void Begin() => Running.Value = this;

    /// <summary>The action failed or was refused.</summary>
    public void Abandon() => _closed = true;

    /// <summary>The action is done. Inserts its row if no transaction has done that.</summary>
    public async Task EndAsync(MySqlDatabase database, CancellationToken cancellationToken)
    {
        if (_closed) return;
        _closed = true;
        await database.ExecuteAsync(AdminActionStore.Insert, Row, cancellationToken);
    }

    /// <summary>The created item.</summary>
    internal static void NameCreated(long id) => Current?._id = $"{id}";

    /// <summary>A transaction begins, perhaps again.</summary>
    internal void ExpectChange() => HasChanged = false;

    /// <summary>The running transaction has changed something.</summary>
    internal void NoteChange() => HasChanged = true;

    /// <summary>The row for the transaction that is about to commit.</summary>
    internal (string Sql, object Parameters) ToRow() => (AdminActionStore.Insert, Row);

    /// <summary>The row has committed.</summary>
    internal void Committed() => _closed = true;

    object Row => new { byAdministrator = actor, administratorAction = name, actionSubject = _id is null ? kind : $"{kind}/{_id}", actionReason = reason };
}
