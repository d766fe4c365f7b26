using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Commerce.Core.Catalog;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Commerce.Core.Inventory;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Commerce.Tests.Unit.Architecture;

/// <summary>The catalogue uses EF Core for definitions only, and the sale uses SQL (docs/decisions/0001).</summary>
public sealed class CatalogBorderTests
{
    const string Catalog = "Commerce.Core.Catalog";
    const string EntityFramework = "Microsoft.EntityFrameworkCore";

    static readonly ILookup<string, string> Core = Dependencies.Of(typeof(MySqlDatabase).Assembly);

    [Fact]
    public void Nothing_but_the_catalogue_uses_EF_Core()
    {
        Assert.Empty(Uses(type => !IsIn(type, Catalog), EntityFramework, "Pomelo"));
        Assert.NotEmpty(Uses(type => IsIn(type, Catalog), EntityFramework));
    }

    [Theory]
    [InlineData("Commerce.Api")]
    [InlineData("Commerce.Workers")]
    [InlineData("Commerce.ServiceDefaults")]
    public void No_other_project_uses_EF_Core(string project)
    {
        // The SDK puts the output of each project next to the tests' own folder.
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "..", "..", project, Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), $"{project}.dll"));
        using var image = new PEReader(file);
        var metadata = image.GetMetadataReader();

        Assert.DoesNotContain(metadata.AssemblyReferences.Select(r => metadata.GetString(metadata.GetAssemblyReference(r).Name)),
            name => name.StartsWith(EntityFramework, StringComparison.Ordinal));
    }

    [Fact]
    public void The_catalogue_touches_nothing_of_the_sale()
    {
        string[] sale =
        [
            "Commerce.Core.Idempotency", "Commerce.Core.Messaging", "Commerce.Core.Orders", "Commerce.Core.Outbox", "Commerce.Core.Payments",
            "Commerce.Core.Redis", "Confluent.Kafka", "Dapper", "StackExchange.Redis", typeof(CouponGate).FullName!, typeof(CouponRepository).FullName!,
            typeof(EventRepository).FullName!, typeof(EventOpener).FullName!, typeof(InventoryGate).FullName!, typeof(InventoryRepository).FullName!,
        ];

        Assert.Empty(Uses(type => IsIn(type, Catalog), sale));
    }

    [Fact]
    public void EF_Core_can_write_the_columns_of_definitions_and_no_others()
    {
        using var context = Context();
        var written = context.Model.GetEntityTypes().Where(e => e.GetTableName() is not null)
            .ToDictionary(e => e.GetTableName()!, e => e.GetProperties().Select(p => p.GetColumnName(StoreObjectIdentifier.Table(e.GetTableName()!))!).Order());

        Assert.Equal(new()
        {
            ["coupon"] =
            [
                "discount", "ends_at", "event_ids", "id", "min_order_amount", "name", "percent", "product_ids", "starts_at", "total_quantity", "valid_from", "valid_until", "version",
            ],
            ["event"] = ["closes_at", "id", "max_per_customer", "name", "opens_at", "version", "waiting_room_rate"],
            ["product"] = ["id", "max_per_customer", "name", "on_sale", "price", "version"],
        }, written.ToDictionary(t => t.Key, t => t.Value.ToArray()));
    }

    [Fact]
    public async Task EF_Core_refuses_to_write_what_the_sale_writes()
    {
        await using var context = Context();

        Assert.Throws<InvalidOperationException>(() => context.Add(new Product(1, "lamp", 1, 1, true, null, 1)));
        await ShouldBeRefusedAsync(() => context.Products.ExecuteUpdateAsync(row => row.SetProperty(p => p.Stock, 0)));
        await ShouldBeRefusedAsync(() => context.Coupons.ExecuteUpdateAsync(row => row.SetProperty(c => c.IssuedQuantity, 0)));
        await ShouldBeRefusedAsync(() => context.Events.ExecuteUpdateAsync(row => row.SetProperty(e => e.Status, EventStatus.Open)));
        await ShouldBeRefusedAsync(() => context.EventCoupons.ExecuteDeleteAsync());

        async Task ShouldBeRefusedAsync(Func<Task> write)
        {
            var refusal = await Assert.ThrowsAsync<InvalidOperationException>(write);
            Assert.Contains("could not be translated", refusal.Message, StringComparison.Ordinal);
        }
    }

    // No server listens at this address, and none is contacted.
    static CatalogDbContext Context() => new(new DbContextOptionsBuilder<CatalogDbContext>()
        .UseMySql("Server=127.0.0.1;Port=1;User ID=nobody", ServerVersion.Parse("8.0.30-mysql")).Options);

    static IEnumerable<string> Uses(Func<string, bool> users, params string[] parts) =>
        from type in Core where users(type.Key) from used in type where parts.Any(part => IsIn(used, part)) select $"{type.Key} uses {used}";

    static bool IsIn(string type, string part) => type == part || type.StartsWith($"{part}.", StringComparison.Ordinal);
}
