using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Commerce.Tests.Faults.Topology;

/// <summary>A sale to a crowd that is too large to sign in one by one: its users, what they were told, and when.</summary>
sealed class Sale
{
    readonly string _signingKey = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
    readonly Lock _lock = new();
    readonly long _start = Stopwatch.GetTimestamp();
    int _issued, _purchases;
    long _last = Stopwatch.GetTimestamp();
    TimeSpan _longest;

    /// <summary>For the stack, which then knows the users.</summary>
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

    /// <summary>Figures for bench/results.</summary>
    public string Summary => string.Create(CultureInfo.InvariantCulture,
        $"{Issued} coupons promised in {Stopwatch.GetElapsedTime(_start, LastIssue).TotalSeconds:F0} s, {Purchases} purchases; the longest pause {LongestPause.TotalSeconds:F1} s; load average {File.ReadAllText("/proc/loadavg").Split(' ')[0]}");

    /// <summary>A member whom the stack did not see before.</summary>
    public Shopper UserOf(CommerceStack stack, string id) => new(id, new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
    {
        Issuer = DevelopmentTokens.Issuer,
        Audience = DevelopmentTokens.Audience,
        Expires = TimeProvider.System.GetUtcNow().AddHours(1).UtcDateTime,
        Claims = new Dictionary<string, object> { ["sub"] = id, ["role"] = "MEMBER" },
        SigningCredentials = new(new SymmetricSecurityKey(Convert.FromBase64String(_signingKey)), SecurityAlgorithms.HmacSha256),
    }), stack.Anonymous, stack.Impatient);

    /// <summary>A user requests the coupon until the answer is definite.</summary>
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
}
