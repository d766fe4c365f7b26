using System.Net;
using Commerce.Core.Inventory;
using Commerce.Core.WaitingRoom;

namespace Commerce.Tests;

/// <summary>Shoppers in waiting rooms.</summary>
public static class WaitingRoomStories
{
    /// <summary>Requests a place. The response may be a refusal.</summary>
    public static Task<HttpResponseMessage> AskToJoinAsync(this Shopper shopper, long eventId) => shopper.PostAsync($"/api/events/{eventId}/waiting-room", null);

    /// <summary>Requests the state of the shopper's place. The response may be a refusal.</summary>
    public static Task<HttpResponseMessage> AskForPlaceAsync(this Shopper shopper, long eventId) => shopper.GetAsync($"/api/events/{eventId}/waiting-room");

    /// <summary>Joins, or polls. Waits for the user's rate limit.</summary>
    public static async Task<WaitingRoomPlace> JoinAsync(this Shopper shopper, long eventId)
    {
        using var answer = await Eventually.GetAsync(
            () => shopper.AskToJoinAsync(eventId), a => a.StatusCode is not HttpStatusCode.TooManyRequests);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<WaitingRoomPlace>())!;
    }

    /// <summary>Gives up the place.</summary>
    public static async Task LeaveAsync(this Shopper shopper, long eventId)
    {
        using var answer = await shopper.PostAsync($"/api/events/{eventId}/waiting-room/leave", null);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Joins and polls until the shopper is admitted.</summary>
    public static async Task<WaitingRoomPlace> AdmittedAsync(this Shopper shopper, long eventId)
    {
        await shopper.JoinAsync(eventId);
        return (await Eventually.GetAsync(async () =>
        {
            using var answer = await shopper.AskForPlaceAsync(eventId);
            return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<WaitingRoomPlace>() : null;
        }, place => place is { Status: "ADMITTED" }))!;
    }

    /// <summary>Orders one unit with these passes.</summary>
    public static async Task<HttpResponseMessage> OrderWithPassAsync(this Shopper shopper, long productId, string? pass, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/orders")
        {
            Content = JsonContent.Create(new { items = new[] { new OrderLine(productId, 1) }, shipping = Shoppers.Shipping }),
        };
        request.Headers.Authorization = new("Bearer", shopper.Token);
        request.Headers.Add("Idempotency-Key", key ?? Guid.NewGuid().ToString());
        if (pass is not null) request.Headers.Add(WaitingRoomPass.Header, pass);
        return await shopper.Client.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
