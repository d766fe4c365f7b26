using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.PaymentSandbox.Faults;

/// <summary>Sets and removes the faults for all calls.</summary>
static class FaultEndpoints
{
    public static void MapFaults(this IEndpointRouteBuilder app)
    {
        app.MapPut("/sandbox/faults", Set);
        app.MapDelete("/sandbox/faults", Clear);
    }

    static Results<NoContent, ProblemResult> Set(IReadOnlyList<Fault> faults, FaultPlan plan)
    {
        if (faults.Select(f => f.Validate()).FirstOrDefault(m => m is not null) is { } mistake) return CommonProblems.Validation.ToResult(mistake);
        plan.Set(faults);
        return TypedResults.NoContent();
    }

    static NoContent Clear(FaultPlan plan)
    {
        plan.Set([]);
        return TypedResults.NoContent();
    }
}
