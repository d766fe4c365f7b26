namespace Commerce.Core.Database;

/// <summary>
/// The action of an administrator in the current request. The first transaction of the request that changes something also inserts
/// the row of <c>admin_action</c>. So a change and its row commit together or not at all. If an action changes nothing in MySQL, its
/// row is inserted at the end.
/// </summary>
/// <param name="actor">The administrator.</param>
/// <param name="name">The operationId of the request.</param>
/// <param name="kind">The kind of item, as in the path of the request.</param>
/// <param name="id">The id of the item. Null for an item that the request creates; its id is set later.</param>
/// <param name="reason">The reason given in the request, or null.</param>
/// <param name="with">A statement that commits with the row, or null. It claims the request's idempotency key.</param>
public sealed class AdministrativeAction(string actor, string name, string kind, string? id, string? reason, DeferredStatement? with = null)
{
    static readonly AsyncLocal<AdministrativeAction?> Running = new();

    string? _id = id;
    bool _closed;

    /// <summary>The action of this request while it has no row yet. Null otherwise.</summary>
    internal static AdministrativeAction? Current => Running.Value is { _closed: false } action ? action : null;

    /// <summary>Whether the running transaction has changed something.</summary>
    internal bool HasChanged { get; private set; }

    /// <summary>Starts the action. The following transactions of this request belong to it.</summary>
    public void Begin() => Running.Value = this;

    /// <summary>Ends the action without a row, because it failed or was refused.</summary>
    public void Abandon() => _closed = true;

    /// <summary>Completes the action. Inserts its row unless a transaction has inserted it.</summary>
    public async Task EndAsync(MySqlDatabase database, CancellationToken cancellationToken)
    {
        if (_closed) return;
        _closed = true;
        await database.ExecuteAsync(AdminActionStore.Insert, Row, cancellationToken);
    }

    /// <summary>Sets the id of the item that was created.</summary>
    internal static void NameCreated(long id) => Current?._id = $"{id}";

    /// <summary>Resets the state when a transaction begins, or begins again.</summary>
    internal void ExpectChange() => HasChanged = false;

    /// <summary>Records that the running transaction has changed something.</summary>
    internal void NoteChange() => HasChanged = true;

    /// <summary>Returns the row, and what commits with it, for the transaction that is about to commit.</summary>
    internal IReadOnlyList<DeferredStatement> ToStatements() => [.. with is null ? [] : (DeferredStatement[])[with], new(AdminActionStore.Insert, Row)];

    /// <summary>Records that the row has committed.</summary>
    internal void Committed() => _closed = true;

    object Row => new { byAdministrator = actor, administratorAction = name, actionSubject = _id is null ? kind : $"{kind}/{_id}", actionReason = reason };
}
