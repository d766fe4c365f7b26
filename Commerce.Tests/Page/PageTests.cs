using Commerce.Tests.Faults;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Commerce.Tests.Page;

/// <summary>The page as shoppers use it, in a browser.</summary>
public sealed class PageTests(CommerceStack stack) : StackTests(stack)
{
    static readonly LocatorAssertionsToHaveTextOptions Patiently = new() { Timeout = 60_000 };

    Uri Shop => Stack.Anonymous.BaseAddress!;

    [Fact]
    public Task Two_browsers_see_an_event_open_without_a_reload_one_gets_a_coupon_one_buys() => Eventually.UnspoiltAsync(async () =>
    {
        var coupon = await Stack.CouponAsync(total: 1, name: "Midnight coupon");
        var product = await Stack.ProductAsync(stock: 3, price: 45_000, name: "Running shoes");
        await using var browser = await Browser.StartAsync();
        var alice = await browser.ShopAsync(Shop, $"alice-{coupon.Id}");
        var bob = await browser.ShopAsync(Shop, $"bob-{coupon.Id}");
        var pages = new[] { alice, bob };
        foreach (var page in pages) await Expect(page.Locator("#stream")).ToHaveTextAsync("Live", Patiently);
        var opening = await Stack.EventAsync(opensIn: 6, couponIds: [coupon.Id], name: "Midnight sale");
        foreach (var page in pages)
        {
            // The list is asked for again when a page is opened: from here on nobody reloads.
            await page.ReloadAsync();
            await Expect(page.Locator($"#event-{opening.Id} .pill")).ToHaveTextAsync("Opens soon", Patiently);
            await page.EvaluateAsync("window.notReloaded = true");
        }

        // The page knows the server's clock to a second.
        Assert.Matches("00:00:0[0-7]", await alice.Locator($"#event-{opening.Id} .countdown").TextContentAsync());
        await PictureAsync(alice, "page-before");
        foreach (var page in pages) await Expect(page.Locator($"#event-{opening.Id} .pill")).ToHaveTextAsync("Open now", Patiently);
        foreach (var page in pages) Assert.True(await page.EvaluateAsync<bool>("window.notReloaded === true"));

        await alice.Locator($"#issue-{coupon.Id}").ClickAsync();
        await Expect(alice.Locator($"#coupon-{coupon.Id} [role=status]")).ToHaveTextAsync("It is yours.", Patiently);
        await Expect(alice.Locator("#own-coupons .pill").First).ToBeVisibleAsync();
        await bob.Locator($"#issue-{coupon.Id}").ClickAsync();
        await Expect(bob.Locator($"#coupon-{coupon.Id} [role=status]")).ToHaveTextAsync("Sold out.", Patiently);
        await PictureAsync(alice, "page-open");

        await bob.Locator($"#buy-{product.Id}").ClickAsync();
        await bob.GetByLabel("Phone").FillAsync("010-1234-5678");
        await bob.GetByLabel("Postcode").FillAsync("04524");
        await bob.GetByLabel("Address", new() { Exact = true }).FillAsync("110 Sejong-daero, Jung-gu, Seoul");
        await PictureAsync(bob, "page-order");
        await bob.GetByRole(AriaRole.Button, new() { Name = "Order and pay" }).ClickAsync();
        await bob.WaitForURLAsync(url => url.Contains("/pay", StringComparison.Ordinal));
        await PictureAsync(bob, "page-pay-window");
        await bob.GetByRole(AriaRole.Button, new() { Name = "Pay" }).ClickAsync();
        await Expect(bob.Locator("#notice")).ToHaveTextAsync("Paid. Thank you!", Patiently);
        await Expect(bob.Locator("#orders .pill").First).ToHaveTextAsync("paid", Patiently);
        await Expect(bob.Locator($"#product-{product.Id} .soft")).ToHaveTextAsync("2 left", Patiently);
        await PictureAsync(bob, "page-bought");
        Assert.Empty(browser.Complaints);
        await AuditAsync();
    });

    [Fact]
    public Task A_lost_connection_is_shown_and_comes_back_by_itself() => Eventually.UnspoiltAsync(async () =>
    {
        await using var browser = await Browser.StartAsync();
        var page = await browser.ShopAsync(Shop, "reconnect");
        await Expect(page.Locator("#stream")).ToHaveTextAsync("Live", Patiently);

        await Stack.KillAsync("api");
        await Expect(page.Locator("#stream")).ToHaveAttributeAsync("data-state", "lost", new() { Timeout = 60_000 });
        await Stack.StartAsync("api");

        await Expect(page.Locator("#stream")).ToHaveTextAsync("Live", new() { Timeout = 60_000 });
        var missed = await Stack.EventAsync(opensIn: 1, name: "After the outage");
        await Expect(page.Locator($"#event-{missed.Id} .pill")).ToHaveTextAsync("Open now", Patiently);
    });

    [Fact]
    public Task It_fits_a_phone_obeys_the_keyboard_and_keeps_still_where_asked() => Eventually.UnspoiltAsync(async () =>
    {
        var coupon = await Stack.CouponAsync(total: 1);
        await using var browser = await Browser.StartAsync();
        var page = await browser.ShopAsync(Shop, $"phone-{coupon.Id}",
            new() { ViewportSize = new() { Width = 360, Height = 740 }, ReducedMotion = ReducedMotion.Reduce });
        var button = page.Locator($"#issue-{coupon.Id}");
        await Expect(button).ToBeVisibleAsync();

        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"));
        await button.FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator($"#coupon-{coupon.Id} [role=status]")).ToHaveTextAsync("It is yours.", Patiently);
        // The list was made anew, and the keyboard's user is still where they were.
        Assert.Equal($"issue-{coupon.Id}", await page.EvaluateAsync<string>("document.activeElement.id"));
        var opening = await Stack.EventAsync(opensIn: 1);
        await Expect(page.Locator($"#event-{opening.Id}.just-opened, #event-{opening.Id} .pill[data-state=OPEN]").First).ToBeVisibleAsync(new() { Timeout = 60_000 });
        Assert.Equal("none", await page.Locator($"#event-{opening.Id}").EvaluateAsync<string>("e => getComputedStyle(e).animationName"));
        await PictureAsync(page, "page-phone");
        Assert.Empty(browser.Complaints);
    });

    [Fact]
    public async Task Nothing_from_elsewhere_and_nothing_inline_may_run()
    {
        using var answer = await Stack.Anonymous.GetAsync("/", Cancelled);

        Assert.Equal("text/html", answer.Content.Headers.ContentType?.MediaType);
        var policy = string.Join(';', answer.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
    }

    /// <summary>For the README: only where a folder for pictures is named.</summary>
    static async Task PictureAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("COMMERCE_PICTURES") is { Length: > 0 } folder)
            await page.ScreenshotAsync(new() { Path = Path.Combine(folder, name + ".png") });
    }
}
