using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Commerce.Core.Consistency;
using Commerce.Core.Database;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Commerce.Tests.Faults.Topology;

/// <summary>A sale to a crowd that is too large to sign in one by one. It records the responses to its users and their times.</summary>
sealed class Sale
{
    readonly string _signingKey = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
    readonly Lock _lock = new();
    readonly long _start = Stopwatch.GetTimestamp();
    int _issued, _purchases;
    long _last = Stopwatch.GetTimestamp();
    TimeSpan _longest;

    /// <summary>The argument that makes the stack accept the tokens of these users.</summary>
    public string SigningKey => $"--Parameters:development-signing-key={_signingKey}";

    public ConcurrentDictionary<string, string> Verdicts { get; } = [];

    /// <summary>The users who were promised a coupon.</summary>
    public IEnumerable<string> Promised => Verdicts.Where(v => v.Value == "").Select(v => v.Key);

    public int Issued => Volatile.Read(ref _issued);

    public int Purchases => Volatile.Read(ref _purchases);

    /// <summary>When the last coupon was issued.</summary>
    public long LastIssue => Volatile.Read(ref _last);

    /// <summary>The longest time between two issues.</summary>
    public TimeSpan LongestPause => _longest;

    /// <summary>The figures for bench/results.</summary>
    public string Summary => string.Create(CultureInfo.InvariantCulture,
        $"{Issued} coupons promised in {Stopwatch.GetElapsedTime(_start, LastIssue).TotalSeconds:F0} s, {Purchases} purchases; the longest pause {LongestPause.TotalSeconds:F1} s; load average {File.ReadAllText("/proc/loadavg").Split(' ')[0]}");

    /// <summary>Creates a member that the stack has not seen before.</summary>
    public Shopper UserOf(CommerceStack stack, string id) => new(id, new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
    {
        Issuer = DevelopmentTokens.Issuer,
        Audience = DevelopmentTokens.Audience,
        Expires = TimeProvider.System.GetUtcNow().AddHours(1).UtcDateTime,
        Claims = new Dictionary<string, object> { ["sub"] = id, ["role"] = "MEMBER" },
        SigningCredentials = new(new SymmetricSecurityKey(Convert.FromBase64String(_signingKey)), SecurityAlgorithms.HmacSha256),
    }), stack.Anonymous, stack.Impatient);

    /// <summary>Requests the coupon for a user until the response is definite.</summary>
    public async Task TakeAsync(CommerceStack stack, string user, long couponId)
    {
        var verdict = await UserOf(stack, user).TakeUntilAsync(couponId, TestContext.Current.CancellationToken);
        Verdicts[user] = verdict;
        if (verdict != "") return;
        lock (_lock)
        {
            var now = Stopwatch.GetTimestamp();
            // The time before the first issue is the start of the servers.
            if (_issued > 0 && Stopwatch.GetElapsedTime(_last, now) is var pause && pause > _longest) _longest = pause;
            Volatile.Write(ref _last, now);
            _issued++;
        }
    }

    public void Bought(bool done)
    {
        if (done) Interlocked.Increment(ref _purchases);
    }

    /// <summary>Orders and pays for one unit. Each step is repeated with its key until the response is definite.</summary>
    public static async Task<bool> BuyAsync(CommerceStack stack, Shopper user, long product)
    {
        var order = (await StepAsync<PlacedOrder>(key => user.OrderAsync([new(product, 1)], key: key)))!;
        await StepAsync<object>(key => user.PostAsync("/api/payments/prepare", new { order.OrderId, amount = order.TotalAmount }, key));
        var pgPaymentId = await stack.Sandbox.PayAsync(order.OrderId, order.TotalAmount, user.Id, null);
        var start = Stopwatch.GetTimestamp();
        // A repeated approval returns the outcome of an earlier one that was unknown.
        while ((await StepAsync<ApprovedPayment>(key => user.PostAsync("/api/payments/approve", new { order.OrderId, pgPaymentId }, key)))!.Status is var status and not PaymentState.Paid)
            await Eventually.PauseAsync(start, status);
        return true;
    }

    static async Task<T?> StepAsync<T>(Func<string, Task<HttpResponseMessage>> send)
    {
        var key = Guid.NewGuid().ToString();
        for (var start = Stopwatch.GetTimestamp(); ;)
        {
            string last;
            try
            {
                using var answer = await send(key);
                if (answer.IsSuccessStatusCode) return await answer.Content.ReadFromJsonAsync<T>(TestContext.Current.CancellationToken);
                last = $"{answer.StatusCode} {await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}";
                Assert.True(answer.Headers.RetryAfter is not null, last);
            }
            catch (HttpRequestException e)
            {
                // The connection was lost. The next attempt uses the same key.
                last = e.Message;
            }

            await Eventually.PauseAsync(start, last);
        }
    }

    /// <summary>Checks that the audit holds, that exactly the users with a promise have the coupon, and that the others got "sold out".</summary>
    public async Task ExactAsync(CommerceStack stack, long couponId, int total)
    {
        var cancelled = TestContext.Current.CancellationToken;
        TestContext.Current.TestOutputHelper!.WriteLine(Summary);
        await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(cancelled), report => report.Holds, TimeSpan.FromMinutes(3));
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        var rows = (await database.QueryAsync<string>("SELECT user_id FROM coupon_issue WHERE coupon_id = @couponId", new { couponId }, cancelled)).ToHashSet();
        Assert.Equal(Promised.ToHashSet(), rows);
        Assert.Equal(total, rows.Count);
        Assert.All(Verdicts.Values.Where(v => v != ""), v => Assert.Equal("coupon-sold-out", v));
        Assert.Equal(0, await database.SingleAsync<int>("SELECT COUNT(*) FROM dead_letter", null, cancelled));
    }
}
