using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Commerce.Tests.Page;

/// <summary>Signing in with an OIDC provider, as in production.</summary>
public sealed class SignInTests(CommerceStack stack, Chromium chromium) : StackTests(stack), IClassFixture<Chromium>
{
    [Fact]
    public async Task A_shopper_signs_in_with_the_provider_gets_a_coupon_and_signs_out_of_both()
    {
        var subject = $"auth0|{Guid.NewGuid():N}";
        await using var provider = await SignInProvider.StartAsync(subject);
        await using var replica = await StartAsync(provider);
        var coupon = await Stack.CouponAsync(total: 1);
        await using var browser = chromium.Open();
        var page = await browser.OpenAsync(replica.Url);
        await Expect(page.GetByLabel("Name", new() { Exact = true })).ToBeHiddenAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();

        await Expect(page.Locator("#user")).ToHaveTextAsync("Alice Kim");
        await Expect(page).ToHaveURLAsync(replica.Url.ToString());
        await page.Locator($"#issue-{coupon.Id}").ClickAsync();
        await Expect(page.Locator($"#coupon-{coupon.Id} .standing")).ToHaveTextAsync("Yours");
        await Expect(page.Locator($"#own-{coupon.Id}")).ToBeVisibleAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();

        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Sign in" })).ToBeVisibleAsync();
        Assert.Equal([SignInProvider.ClientId], provider.EndedSessions);
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task Who_is_refused_by_the_provider_or_comes_with_a_foreign_code_is_told_so_and_is_nobody()
    {
        await using var provider = await SignInProvider.StartAsync("alice");
        await using var replica = await StartAsync(provider);
        await using var browser = chromium.Open();
        provider.Refuses = true;
        var page = await browser.OpenAsync(replica.Url);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(page.Locator("#notices")).ToContainTextAsync("You have not signed in.");

        var victim = await browser.OpenAsync(new Uri(replica.Url, "/?code=stolen&state=of-somebody-else"));

        await Expect(victim.Locator("#notices")).ToContainTextAsync("This sign-in was not started in this browser.");
        await Expect(victim).ToHaveURLAsync(replica.Url.ToString());
        foreach (var nobody in new[] { page, victim }) await Expect(nobody.Locator("#signed-in")).ToBeHiddenAsync();
    }

    [Fact]
    public async Task A_sign_in_that_began_on_the_operators_page_ends_there()
    {
        await using var provider = await SignInProvider.StartAsync("alice");
        await using var replica = await StartAsync(provider);
        await using var browser = chromium.Open();
        var page = await browser.OpenAsync(new(replica.Url, "/admin#orders"));

        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();

        await Expect(page.Locator("#user")).ToHaveTextAsync("Alice Kim");
        await Expect(page).ToHaveURLAsync(new Uri(replica.Url, "/admin#orders").ToString());
        // The provider has not given her the role.
        await Expect(page.Locator("#notices")).ToContainTextAsync("You are not allowed to do this.");
        Assert.Empty(browser.Complaints);
    }

    async Task<ApiReplica> StartAsync(SignInProvider provider) => await ApiReplica.StartAsync(
        Stack,
        ("Authentication__Schemes__Bearer__Authority", provider.Url.ToString()),
        ("Authentication__Schemes__Bearer__RequireHttpsMetadata", "false"),
        ("Authentication__Schemes__Bearer__ValidIssuer", provider.Url.ToString()),
        ("Authentication__Schemes__Bearer__ValidAudiences__0", SignInProvider.Audience),
        ("SignIn__ClientId", SignInProvider.ClientId),
        ("Authentication__Roles__Member__0", "*"));
}
