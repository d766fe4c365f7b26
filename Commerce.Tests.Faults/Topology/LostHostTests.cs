using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Tests.Servers.Messaging;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Topology;

/// <summary>The machine with the whole shop loses its power, or its disk is full.</summary>
public sealed class LostHostTests
{
    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    static readonly ParallelOptions Crowd = new() { MaxDegreeOfParallelism = 64 };

    static readonly ParallelOptions Buyers = new() { MaxDegreeOfParallelism = 4 };

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>The gateway runs elsewhere and survives. infra/ec2-compose/check/prove.sh cuts the power of a real machine.</summary>
    [Fact]
    public async Task F50_Everything_is_killed_at_once_under_load_and_nothing_accepted_is_lost()
    {
        const int Coupons = 3_000, Purchases = 60;
        var sale = new Sale();
        await using var stack = new CommerceStack
        {
            Arguments = [sale.SigningKey], Settings = new Dictionary<string, string> { ["Coupons__Durability"] = nameof(Durability.Database) },
        };
        await stack.StartAsync();
        var (coupon, product) = (await stack.CouponAsync(Coupons), await stack.ProductAsync(Purchases, price: 5_000));
        var selling = Parallel.ForAsync(0, Coupons + 100, Crowd, async (i, _) => await sale.TakeAsync(stack, $"c-{i}", coupon.Id));
        var buying = Parallel.ForAsync(0, Purchases, Buyers, async (i, _) => sale.Bought(await Sale.BuyAsync(stack, sale.UserOf(stack, $"b-{i}"), product.Id)));
        await Eventually.GetAsync(() => Task.FromResult((sale.Issued, sale.Purchases)), s => s.Issued >= Coupons / 4 && s.Purchases >= 5, Deadline);

        // The mock broker keeps its log in memory, so it would lose more than a real one.
        string[] servers = await stack.HasMockBrokerAsync() ? ["mysql", "redis"] : ["mysql", "redis", "kafka"];
        await stack.KillAllAsync(["api", "workers", .. servers]);
        await Task.WhenAll(servers.Select(stack.StartAsync));
        await Task.WhenAll(stack.StartAsync("workers"), stack.StartAsync("api"));

        await selling.WaitAsync(Deadline, Cancelled);
        await buying.WaitAsync(Deadline, Cancelled);
        await sale.ExactAsync(stack, coupon.Id, Coupons);
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        Assert.Equal(Purchases, sale.Purchases);
        Assert.Equal(Purchases, await database.SingleAsync<int>("SELECT COUNT(*) FROM orders WHERE status = 'PAID'", null, Cancelled));
    }

    [Fact]
    public async Task F50_The_disk_of_the_broker_is_full_in_the_middle_of_a_sale()
    {
        const int Coupons = 3_000;
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        using var disk = SmallDisk.TryMount(megabytes: 64);
        Assert.SkipWhen(disk is null, SmallDisk.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync(disk: disk.Folder);
        var sale = new Sale();
        await using var stack = new CommerceStack { Arguments = [$"--ConnectionStrings:kafka={kafka.BootstrapServers}", sale.SigningKey] };
        await stack.StartAsync();
        var coupon = await stack.CouponAsync(Coupons);
        var selling = Parallel.ForAsync(0, Coupons + 100, Crowd, async (i, _) => await sale.TakeAsync(stack, $"c-{i}", coupon.Id));
        await IssuedAsync(Coupons / 4);

        disk.Fill();
        // A broker stops when its only disk is full.
        await Eventually.EqualAsync("Degraded", () => stack.HealthOfAsync("kafka"));
        await IssuedAsync(Coupons / 2);
        disk.Free();
        await kafka.KillAsync();
        await kafka.StartNodeAsync();

        await selling.WaitAsync(Deadline, Cancelled);
        await Eventually.EqualAsync("Healthy", () => stack.HealthOfAsync("topics"));
        await sale.ExactAsync(stack, coupon.Id, Coupons);

        Task IssuedAsync(int count) => Eventually.GetAsync(() => Task.FromResult(sale.Issued), issued => issued >= count, Deadline);
    }
}
