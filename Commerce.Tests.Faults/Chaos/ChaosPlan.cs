namespace Commerce.Tests.Faults.Chaos;

/// <summary>
/// The plan of a seed. All random choices derive from the seed arithmetically, so they are the same in every process. The timing
/// depends on the machine.
/// </summary>
public static class ChaosPlan
{
    /// <summary>Three consecutive seeds cover all faults. A longer run continues with the others.</summary>
    const int Shares = 3;

    /// <summary>All faults of the gateway.</summary>
    public static IReadOnlyList<SandboxFault> GatewayFaults { get; } =
    [
        new("delay", "apply", DelayMs: 4_000), new("approveThenHang", "apply", Count: 1), new("wrongAmount", "apply"), new("drop", "apply", Count: 1),
        new("approveThen5xx", "apply", Count: 1), new("code", "apply", Count: 1, Code: "NotEnoughAccountBalance"),
        new("hang", "apply", Count: 1), new("approveThenDrop", "apply", Count: 1), new("malformed", "apply", Count: 1), new("wrongOrder", "apply"),
        new("approveThenEmpty", "apply", Count: 1), new("status5xx", "apply", Count: 1),
        new("approveThenMalformed", "apply", Count: 1), new("empty", "apply", Count: 1), new("code", "apply", Count: 1, Code: "AlreadyOnGoing"),
    ];

    /// <summary>Returns the random choices for these numbers, such as seed, user and step.</summary>
    public static Random Dice(params ReadOnlySpan<int> names)
    {
        // SplitMix64 is applied after each number, so that adjacent or swapped numbers give unrelated results.
        var state = 0UL;
        foreach (var name in names)
        {
            state += 0x9E3779B97F4A7C15 + (ulong)name;
            state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
            state = (state ^ (state >> 27)) * 0x94D049BB133111EB;
            state ^= state >> 31;
        }

        return new((int)(state >> 33));
    }

    /// <summary>The faults that a run must include, in order.</summary>
    public static IReadOnlyList<ChaosFault> Planned(int seed) => Shuffled(ChaosFaults.All.Where((_, i) => IsMine(i, seed)), Dice(seed, 1));

    /// <summary>The faults of a longer run: the remaining ones, and then random ones.</summary>
    public static IEnumerable<ChaosFault> More(int seed)
    {
        var dice = Dice(seed, 2);
        foreach (var fault in Shuffled(ChaosFaults.All.Except(Planned(seed)), dice)) yield return fault;
        while (true) yield return ChaosFaults.All[dice.Next(ChaosFaults.All.Count)];
    }

    /// <summary>The gateway faults that a run must include.</summary>
    public static IReadOnlyList<SandboxFault> PlannedOfGateway(int seed) => [.. GatewayFaults.Where((_, i) => IsMine(i, seed))];

    /// <summary>Chooses the fault of a payment. Half of the payments have none.</summary>
    public static SandboxFault? FaultOfPayment(int seed, Random dice) => dice.Next(4) switch
    {
        0 => GatewayFaults[dice.Next(GatewayFaults.Count)],
        1 => PlannedOfGateway(seed) is var mine ? mine[dice.Next(mine.Count)] : null,
        _ => null,
    };

    static bool IsMine(int index, int seed) => index % Shares == seed % Shares;

    static ChaosFault[] Shuffled(IEnumerable<ChaosFault> faults, Random dice)
    {
        var shuffled = faults.ToArray();
        dice.Shuffle(shuffled);
        return shuffled;
    }
}
