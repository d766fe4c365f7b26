// The tests compete for ports and cores.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
