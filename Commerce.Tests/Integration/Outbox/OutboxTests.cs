using System.Diagnostics;
using System.Text;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Outbox;

/// <summary>Messages that commit with a change reach Kafka.</summary>
public sealed class OutboxTests(CommerceStack stack) : OutboxStackTests(stack)
{
    [Fact]
    public async Task A_message_is_sent_at_once_after_its_commit()
    {
        using var topic = Listen();
        var start = Stopwatch.GetTimestamp();
        for (var i = 1; i <= 10; i++)
        {
            await WriteAsync(Key("woken"));
            topic.Await(i);
        }

        // Relays poll only every 5 s, so ten polls in sequence would take 45 s.
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_message_carries_its_id_and_its_trace()
    {
        using var topic = Listen();
        using var request = new Activity("request").SetIdFormat(ActivityIdFormat.W3C).Start();
        var (id, _) = await WriteAsync(Key("traced"));

        var message = topic.Await(1)[0];
        Assert.Equal(id, MessageId.Of(message.Message.Headers));
        Assert.Equal(request.TraceId, MessageTrace.ContextOf(message.Message.Headers).TraceId);
        Assert.Equal("\"\"", Encoding.UTF8.GetString(message.Message.Value!));
    }

    [Fact]
    public async Task A_message_of_a_transaction_that_is_rolled_back_is_never_sent()
    {
        using var topic = Listen();
        var key = Key("rolled-back");
        await Assert.ThrowsAsync<InvalidOperationException>(() => Database.ExecuteInTransactionAsync<int>(async transaction =>
        {
            await OutboxWriter.AddAsync(transaction, new(Topic, key, key + "-lost", "{}"u8.ToArray()));
            throw new InvalidOperationException();
        }, Cancelled));
        var (id, _) = await WriteAsync(key);

        Assert.Equal(id, MessageId.Of(topic.Await(1)[0].Message.Headers));
    }

    [Fact]
    public async Task What_is_measured_is_how_much_waits_since_when_and_how_much_is_dead()
    {
        var outbox = Stack.Services.GetRequiredService<OutboxStore>();
        await CheckConsistencyAsync();
        Assert.Equal(new OutboxBacklog(0, 0, 0), await outbox.MeasureAsync(Cancelled));
        var (key, deadKey) = (Key("measured"), Key("measured-dead"));
        var ((refused, _), (dead, _)) = (await WriteAsync(key), await WriteAsync(deadKey));
        await SentAsync(refused, dead);
        await RefuseAsync(refused);
        await ChangeRefusedAsync(refused, "o.created_at = UTC_TIMESTAMP(6) - INTERVAL 10 MINUTE");
        await RefuseAsync(dead);
        await ChangeRefusedAsync(dead, "r.next_attempt_at = NULL, o.created_at = UTC_TIMESTAMP(6) - INTERVAL 1 HOUR");
        var (behind, _) = await WriteAsync(key);

        var measured = await outbox.MeasureAsync(Cancelled);

        Assert.Equal((2, 1), (measured.Pending, measured.Dead));
        // The dead message no longer waits.
        Assert.InRange(measured.OldestAge, 600, 3000);
        foreach (var id in new[] { refused, dead }) await ChangeRefusedAsync(id, "r.next_attempt_at = UTC_TIMESTAMP(6)");
        await SentAsync(refused, dead, behind);
        Assert.Equal(new OutboxBacklog(0, 0, 0), await outbox.MeasureAsync(Cancelled));
    }

    [Fact]
    public async Task What_was_sent_long_ago_is_deleted_and_nothing_else()
    {
        var (old, _) = await WriteAsync(Key("old"));
        var (dead, _) = await WriteAsync(Key("dead"));
        var key = Key("waiting");
        var (refused, _) = await WriteAsync(key);
        await SentAsync(old, dead, refused);
        await RefuseAsync(dead);
        await ChangeRefusedAsync(dead, "r.next_attempt_at = NULL");
        await RefuseAsync(refused);
        var (waiting, _) = await WriteAsync(key);
        // Earlier rows are at least as old. Rows of other tests must stay.
        await Database.ExecuteAsync("UPDATE outbox SET created_at = created_at - INTERVAL 10 DAY", null, Cancelled);
        await Database.ExecuteAsync("""
            INSERT INTO outbox_refused (id, shard, attempts, last_error) SELECT id, shard, 1, 'kept' FROM outbox WHERE message_id NOT IN @ours
            """, new { ours = new[] { old, dead, refused, waiting } }, Cancelled);
        var (young, _) = await WriteAsync(Key("young"));
        await SentAsync(young);
        await Database.ExecuteAsync("""
            INSERT INTO inbox (consumer, message_id, handled_at) VALUES ('purge', @old, UTC_TIMESTAMP(6) - INTERVAL 10 DAY), ('purge', @young, UTC_TIMESTAMP(6))
            """, new { old, young }, Cancelled);

        Assert.Equal(2, await Stack.Services.GetRequiredService<OutboxStore>().PurgeAsync(TimeSpan.FromDays(7), Cancelled));

        Assert.Equal(new[] { dead, refused, waiting, young }.Order(), (await Database.QueryAsync<string>(
            "SELECT message_id FROM outbox WHERE message_id IN @ids", new { ids = new[] { old, dead, refused, waiting, young } }, Cancelled)).Order());
        Assert.Equal([young], await Database.QueryAsync<string>("SELECT message_id FROM inbox WHERE consumer = 'purge'", null, Cancelled));
        // The rows are made young again before the cleanup, because the Workers purge as well.
        await Database.ExecuteAsync("UPDATE outbox SET created_at = created_at + INTERVAL 10 DAY WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL 7 DAY", null, Cancelled);
        await Database.ExecuteAsync("DELETE FROM outbox_refused WHERE last_error = 'kept'", null, Cancelled);
        await ChangeRefusedAsync(dead, "r.next_attempt_at = UTC_TIMESTAMP(6)");
        await ChangeRefusedAsync(refused, "r.next_attempt_at = UTC_TIMESTAMP(6)");
        await SentAsync(dead, refused, waiting);
    }
}
