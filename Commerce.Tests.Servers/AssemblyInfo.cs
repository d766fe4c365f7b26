// They compete for ports and for the machine.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
