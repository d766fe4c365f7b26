using System.Diagnostics.Metrics;
using Commerce.Core;
using Commerce.Core.Inventory;
using Commerce.Core.Messaging;
using Commerce.Core.Orders;
using Confluent.Kafka;

namespace Commerce.Workers.Orders;

/// <summary>Deducts the stock of paid orders, and then confirms their holds.</summary>
sealed partial class OrderPlacedHandler(InventoryRepository repository, InventoryGate gate, ILogger<OrderPlacedHandler> logger)
    : IMessageHandler<OrderPlaced>
{
    public static ConsumerLoopOptions Options { get; } = new()
    {
        BatchSize = 200,
        // These are the first attempt and three retries.
        Retries = new() { Attempts = 4, BaseDelay = TimeSpan.FromMilliseconds(50), MaxDelay = TimeSpan.FromSeconds(2) },
    };

    static readonly Counter<long> Shortfalls = CommerceTelemetry.Meter.CreateCounter<long>("commerce.orders.shortfalls");

    public string? Read(ConsumeResult<string?, byte[]?> source, out OrderPlaced message) => OrderPlaced.Read(source.Message.Value, out message);

    public async Task HandleAsync(IReadOnlyList<Received<OrderPlaced>> batch, CancellationToken cancellationToken)
    {
        var orders = batch.Select(r => r.Message.OrderId).Distinct().ToList();
        var (deducted, unserved) = await repository.DeductStockAsync(orders, cancellationToken);
        Checkpoints.Reach(Checkpoints.AfterStock);
        foreach (var order in unserved)
        {
            Shortfalls.Add(1);
            LogShortfall(logger, order);
        }

        // The stock is committed. If Redis is unavailable, the reaper ends the holds after their deadline.
        await TransientFaults.TryAsync(async () =>
        {
            await gate.ConfirmAsync(deducted);
            await gate.ReleaseAsync(unserved);
        });
    }

    public Task OnDeadLetterAsync(OrderPlaced message, CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Error, Message = "Order {OrderId} is paid but short of stock: it will be refunded")]
    static partial void LogShortfall(ILogger logger, string orderId);
}
