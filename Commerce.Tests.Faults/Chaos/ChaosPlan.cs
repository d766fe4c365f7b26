namespace Commerce.Tests.Faults.Chaos;

/// <summary>
/// What a seed stands for: everything that is left to chance is drawn from it and from nothing else, by arithmetic, so that it comes out the same in
/// every process. When things happen is the machine's affair.
/// </summary>
public static class ChaosPlan
{
    /// <summary>Three seeds in a row share all faults among them; one that runs for longer goes on with the others.</summary>
    const int Shares = 3;

    /// <summary>What the gateway does with a payment, in every way that it knows.</summary>
    public static IReadOnlyList<SandboxFault> GatewayFaults { get; } =
    [
        new("delay", "apply", DelayMs: 4_000), new("approveThenHang", "apply", Count: 1), new("wrongAmount", "apply"), new("drop", "apply", Count: 1),
        new("approveThen5xx", "apply", Count: 1), new("code", "apply", Count: 1, Code: "NotEnoughAccountBalance"),
        new("hang", "apply", Count: 1), new("approveThenDrop", "apply", Count: 1), new("malformed", "apply", Count: 1), new("wrongOrder", "apply"),
        new("approveThenEmpty", "apply", Count: 1), new("status5xx", "apply", Count: 1),
        new("approveThenMalformed", "apply", Count: 1), new("empty", "apply", Count: 1), new("code", "apply", Count: 1, Code: "AlreadyOnGoing"),
    ];

    /// <summary>Choices that belong to what these numbers name: the seed, whose they are, and when.</summary>
    public static Random Dice(params ReadOnlySpan<int> names)
    {
        // The mixing of SplitMix64, after each: names that are neighbours, or change places, have nothing in common.
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

    /// <summary>The faults that a run must have had, in their order.</summary>
    public static IReadOnlyList<ChaosFault> Planned(int seed) => Shuffled(ChaosFaults.All.Where((_, i) => IsMine(i, seed)), Dice(seed, 1));

    /// <summary>The faults of a run that goes on: the rest of them, then anything.</summary>
    public static IEnumerable<ChaosFault> More(int seed)
    {
        var dice = Dice(seed, 2);
        foreach (var fault in Shuffled(ChaosFaults.All.Except(Planned(seed)), dice)) yield return fault;
        while (true) yield return ChaosFaults.All[dice.Next(ChaosFaults.All.Count)];
    }

    /// <summary>The faults of the gateway that a run must have had.</summary>
    public static IReadOnlyList<SandboxFault> PlannedOfGateway(int seed) => [.. GatewayFaults.Where((_, i) => IsMine(i, seed))];

    /// <summary>What goes wrong with a payment: nothing with half of them.</summary>
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
