using Commerce.Bench;

try
{
    return args switch
    {
        ["serve", var url] => await CeilingApi.RunAsync(url),
        ["hello", var url] => await CeilingApi.HelloAsync(url),
        ["coupons", .. var options] when options is [] or ["--quick"] => await CouponBench.RunAsync(quick: options is ["--quick"]),
        ["orders", .. var options] when options is [] or ["--quick"] => await OrdersBench.RunAsync(quick: options is ["--quick"]),
        ["outbox" or "purchases", .. var options] when options is [] or ["--quick"] => await OrdersBench.RunAsync(quick: options is ["--quick"], args[0]),
        ["events", .. var options] when options is [] or ["--quick"] => await EventBench.RunAsync(quick: options is ["--quick"]),
        ["waiting", .. var options] when options is [] or ["--quick"] => await WaitingBench.RunAsync(quick: options is ["--quick"]),
        _ => Usage(),
    };
}
catch (Exception) when (BenchStack.Interrupted)
{
    // The process ends after all its children have ended.
    await Task.Delay(Timeout.Infinite);
    throw;
}

static int Usage()
{
    Console.Error.WriteLine("usage: ./commerce bench coupons|orders|outbox|purchases|events|waiting [--quick]");
    return 2;
}
