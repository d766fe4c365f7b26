using System.Diagnostics;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Messaging;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Messaging;

/// <summary>The number of partitions is read from the brokers.</summary>
public sealed class TopicPartitionTests(CommerceStack stack) : StackTests(stack)
{
    MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    TopicPartitions Partitions => Stack.Services.GetRequiredService<TopicPartitions>();

    [Theory]
    [InlineData("api", "Commerce.Api", "--urls", "http://127.0.0.1:0")]
    [InlineData("workers", "Commerce.Workers", "--urls", "http://127.0.0.1:0")]
    [InlineData("workers", "Commerce.Workers", "migrate", "")]
    public async Task A_service_whose_topics_have_too_few_partitions_refuses_to_start_and_says_why(string resource, string program, string first, string second)
    {
        var there = await Partitions.CountAsync(Topics.CouponIssued, Cancelled);
        var start = await ApiReplica.LikeAsync(Stack, resource, program, second.Length > 0 ? [first, second] : [first]);
        start.Environment[$"Kafka__Partitions__{Topics.CouponIssued}"] = "99";
        start.RedirectStandardError = true;
        using var process = Process.Start(start)!;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        deadline.CancelAfter(TimeSpan.FromMinutes(1));
        var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
        try
        {
            var error = await process.StandardError.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            await output;

            Assert.Equal(1, process.ExitCode);
            Assert.Contains($"{Topics.CouponIssued} has {there} of 99", error, StringComparison.Ordinal);
            // The error is one line without a stack trace.
            Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    [Fact]
    public async Task F49_A_gate_is_rebuilt_over_all_partitions_that_there_are_also_those_that_were_just_added()
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var users = await Stack.UsersAsync("partitions", 20);
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        var before = await Partitions.CountAsync(Topics.CouponIssued, Cancelled);
        var count = await AddAsync(before + 1) ? before + 1 : before;

        await Stack.RedisAsync("DEL", (string)new CouponKeys(coupon.Id).Gate!);

        await Eventually.EqualAsync(string.Join(' ', Enumerable.Range(0, count)), () => Database.SingleAsync<string>(
            "SELECT GROUP_CONCAT(`partition` ORDER BY `partition` SEPARATOR ' ') FROM coupon_fence WHERE coupon_id = @Id", coupon, Cancelled)!);
        var verdicts = await users.Skip(1).SellAsync(coupon.Id);
        Assert.Equal(19, verdicts.Values.Count(v => v == ""));
        Assert.Equal("coupon-already-issued", await users[0].PressAsync(coupon.Id));
        await Eventually.EqualAsync(20, () => Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @Id", coupon, Cancelled));
    }

    /// <summary>Adds partitions. Returns false if the brokers cannot do this, like the mock broker.</summary>
    async Task<bool> AddAsync(int count)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Stack.Kafka }).Build();
        try
        {
            await admin.CreatePartitionsAsync([new() { Topic = Topics.CouponIssued, IncreaseTo = count }]);
        }
        catch (KafkaException)
        {
            return false;
        }

        await Eventually.EqualAsync(count, () => Partitions.CountAsync(Topics.CouponIssued, Cancelled));
        return true;
    }
}
