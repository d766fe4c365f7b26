using System.Globalization;
using Commerce.Core.Administration;
using Commerce.Core.Events;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Commerce.Tests.Page;

/// <summary>The page as shoppers use it, in a browser.</summary>
public sealed class PageTests(CommerceStack stack, Chromium chromium) : StackTests(stack), IClassFixture<Chromium>
{
    const double Tomorrow = 86_400;

    static readonly BrowserNewContextOptions Phone = new() { ViewportSize = new() { Width = 390, Height = 844 }, HasTouch = true, IsMobile = true };

    Uri Shop => Stack.Anonymous.BaseAddress!;

    [Fact]
    public Task Two_browsers_hear_that_an_event_opens_ahead_of_its_time() => BrowseAsync(async browser =>
    {
        var opening = await Stack.EventAsync(Tomorrow, name: "Midnight sale");
        IPage[] pages = [await browser.ShopAsync(Shop, $"alice-{opening.Id}"), await browser.ShopAsync(Shop, $"bob-{opening.Id}")];
        foreach (var page in pages)
        {
            await Expect(StateOf(page, opening)).ToHaveTextAsync("Opens soon");
            await HideAsync(page);
        }

        using var answer = await Stack.EventActionAsync(opening.Id, "open");

        foreach (var page in pages) await Expect(StateOf(page, opening)).ToHaveTextAsync("Open now");
        foreach (var page in pages) await HearsAsync(page, "Midnight sale: open now.");
        foreach (var page in pages) Assert.True(await page.EvaluateAsync<bool>("document.hidden"), "Reloaded.");
    });

    [Fact]
    public Task A_countdown_runs_and_the_event_opens_for_a_visitor_too() => BrowseAsync(async browser =>
    {
        var opening = await Stack.EventAsync(opensIn: 3000);
        var page = await browser.OpenAsync(Shop);
        await Expect(page.Locator("#stream")).ToHaveTextAsync("Sign in to go live");
        var countdown = page.Locator($"#event-{opening.Id} .countdown");
        var before = LeftNow();
        var shown = (await countdown.TextContentAsync())!;
        // The page knows the server's clock to a second.
        Assert.InRange(TimeSpan.ParseExact(shown, @"mm\:ss", CultureInfo.InvariantCulture), LeftNow() - TimeSpan.FromSeconds(1.5), before + TimeSpan.FromSeconds(2.5));
        await Expect(countdown).Not.ToHaveTextAsync(shown);

        // The opening is near only after the page has shown its countdown.
        await Stack.RescheduleAsync(opening.Id, opensIn: 5);

        await Expect(StateOf(page, opening)).ToHaveTextAsync("Open now");
        await HearsAsync(page, "open now.");

        TimeSpan LeftNow() => opening.OpensAt!.Value - TimeProvider.System.GetUtcNow().UtcDateTime;
    });

    [Fact]
    public Task What_happened_while_the_connection_was_lost_is_there_when_it_is_back() => BrowseAsync(async browser =>
    {
        var page = await browser.ShopAsync(Shop, "reconnect");
        var missed = await Stack.EventAsync(Tomorrow, name: "During the outage");
        await Expect(StateOf(page, missed)).ToHaveTextAsync("Opens soon");
        await HideAsync(page);
        await Stack.KillAsync("api");
        await Expect(page.Locator("#stream")).ToHaveTextAsync("Connection lost, trying again …");
        Assert.Equal(EventStatus.Open, (await Stack.Services.GetRequiredService<EventAdministration>().OpenAsync(missed.Id, Cancelled)).Status);

        await Stack.StartAsync("api");

        await Expect(page.Locator("#stream")).ToHaveTextAsync("Live");
        await Expect(StateOf(page, missed)).ToHaveTextAsync("Open now");
    });

    [Fact]
    public Task An_opening_that_is_heard_late_does_not_open_what_is_over() => BrowseAsync(async browser =>
    {
        var over = await Stack.EventAsync(Tomorrow);
        var page = await browser.OpenAsync(Shop);
        await Expect(StateOf(page, over)).ToHaveTextAsync("Opens soon");
        using var cancelled = await Stack.EventActionAsync(over.Id, "cancel");
        await Expect(StateOf(page, over)).ToHaveTextAsync("Cancelled");
        var replayed = $"id: 1\nevent: EVENT_OPEN\ndata: {{\"eventId\":{over.Id},\"name\":\"Over\"}}\n\n";
        await page.RouteAsync("**/api/events/stream", route => route.FulfillAsync(new() { ContentType = "text/event-stream", Body = replayed }));

        await StateOf(page, over).EvaluateAsync("""
            e => new MutationObserver(() => window.wrong ||= e.textContent === 'Open now').observe(e, { subtree: true, childList: true, characterData: true })
            """);

        await SignInAsync(page, "late");

        // The opening has arrived twice by now.
        for (var i = 0; i < 2; i++) await page.WaitForResponseAsync("**/api/events/stream");
        await page.WaitForResponseAsync("**/api/events");
        Assert.False(await page.EvaluateAsync<bool>("window.wrong === true"));
    });

    [Fact]
    public Task A_coupon_is_offered_only_to_those_who_can_have_it() => BrowseAsync(async browser =>
    {
        var coupon = await Stack.CouponAsync(total: 1, name: "Midnight coupon");
        var later = await Stack.CouponAsync(total: 1, startsInHours: 2, endsInHours: 3);
        var alice = await browser.ShopAsync(Shop, $"alice-{coupon.Id}");
        var bob = await browser.ShopAsync(Shop, $"bob-{coupon.Id}");
        await Expect(bob.Locator($"#issue-{coupon.Id}")).ToBeVisibleAsync();

        await alice.Locator($"#issue-{coupon.Id}").ClickAsync();

        await HearsAsync(alice, "Midnight coupon is yours.");
        await Expect(alice.Locator($"#coupon-{coupon.Id} .standing")).ToHaveTextAsync("Yours");
        await Expect(alice.Locator($"#own-{coupon.Id} .pill")).ToHaveTextAsync("ready to use");
        await Expect(bob.Locator($"#coupon-{coupon.Id} .standing")).ToHaveTextAsync("Sold out");
        await Expect(bob.Locator($"#coupon-{later.Id} .standing")).ToContainTextAsync("From ");
        await Expect(bob.Locator($"#issue-{coupon.Id}, #issue-{later.Id}")).ToHaveCountAsync(0);
    });

    [Fact]
    public Task A_press_is_not_lost_when_the_shop_is_read_in_between() => BrowseAsync(async browser =>
    {
        var coupon = await Stack.CouponAsync(total: 3);
        var page = await browser.ShopAsync(Shop, $"slow-{coupon.Id}");
        await page.Locator($"#issue-{coupon.Id}").HoverAsync();
        await page.Mouse.DownAsync();
        using var other = await Stack.UserAsync($"other-{coupon.Id}");
        using var taken = await other.PostAsync($"/api/coupons/{coupon.Id}/issue", null, Cancelled);
        await Expect(page.Locator($"#coupon-{coupon.Id}")).ToContainTextAsync("2 of 3 left");

        await page.Mouse.UpAsync();

        await Expect(page.Locator($"#coupon-{coupon.Id} .standing")).ToHaveTextAsync("Yours");
    });

    [Fact]
    public Task An_order_costs_less_by_a_coupon_which_is_offered_once() => BrowseAsync(async browser =>
    {
        var coupon = await Stack.CouponAsync(total: 1);
        var product = await Stack.ProductAsync(stock: 3, price: 45_000, name: "Running shoes");
        var page = await browser.ShopAsync(Shop, $"thrifty-{coupon.Id}");
        await page.Locator($"#issue-{coupon.Id}").ClickAsync();
        await Expect(page.Locator($"#own-{coupon.Id}")).ToBeVisibleAsync();
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await page.GetByLabel("Coupon", new() { Exact = true }).SelectOptionAsync($"{coupon.Id}");
        await page.GetByLabel("Quantity").FillAsync("2");
        await Expect(page.Locator("#total")).ToHaveTextAsync("₩89,000");

        await OrderAsync(page);
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();

        await HearsAsync(page, "You have not paid yet.");
        await Expect(page.Locator("#orders li").First).ToContainTextAsync("Running shoes × 2");
        Assert.Matches("pay within (0[0-9]|10):[0-5][0-9]", await page.Locator("#orders li").First.TextContentAsync());
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await Expect(page.GetByLabel("Coupon", new() { Exact = true }).Locator("option")).ToHaveCountAsync(1);
    });

    [Fact]
    public Task The_terms_of_a_coupon_are_shown_and_an_order_of_0_won_needs_no_payment() => BrowseAsync(async browser =>
    {
        var (product, other) = (await Stack.ProductAsync(stock: 3, price: 45_000, name: "Walking shoes"), await Stack.ProductAsync(stock: 3, price: 45_000, name: "Hat"));
        var coupon = await Stack.CouponAsync(total: 1, change: d => d with { Percent = 100, Discount = 50_000, MinOrderAmount = 40_000, ProductIds = [product.Id] });
        var page = await browser.ShopAsync(Shop, $"lucky-{coupon.Id}");
        await Expect(page.Locator($"#coupon-{coupon.Id} .off")).ToHaveTextAsync("100% off, at most ₩50,000");
        await Expect(page.Locator($"#coupon-{coupon.Id} .terms")).ToHaveTextAsync("from ₩40,000 · for Walking shoes");
        await page.Locator($"#issue-{coupon.Id}").ClickAsync();
        await Expect(page.Locator($"#own-{coupon.Id} .terms")).ToHaveTextAsync("from ₩40,000 · for Walking shoes");
        var choice = page.GetByLabel("Coupon", new() { Exact = true });

        await page.Locator($"#buy-{other.Id}").ClickAsync();
        await Expect(choice.Locator($"option[value='{coupon.Id}']")).ToBeDisabledAsync();
        await Expect(choice.Locator($"option[value='{coupon.Id}']")).ToContainTextAsync("100% off, at most ₩50,000): from ₩40,000 · for Walking shoes");
        await page.Locator("#back").ClickAsync();
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await choice.SelectOptionAsync($"{coupon.Id}");
        await page.GetByLabel("Quantity").FillAsync("2");
        await Expect(page.Locator("#total")).ToHaveTextAsync("₩40,000");
        await page.GetByLabel("Quantity").FillAsync("1");
        await Expect(page.Locator("#total")).ToHaveTextAsync("₩0");
        await FillAddressAsync(page);
        await page.GetByRole(AriaRole.Button, new() { Name = "Order and pay" }).ClickAsync();

        await HearsAsync(page, "Paid. Thank you!");
        await Expect(page.Locator($"#own-{coupon.Id} .pill")).ToHaveTextAsync("used");
        await page.Locator("#orders li").First.GetByRole(AriaRole.Button, new() { Name = "Refund" }).ClickAsync();
        await Expect(page.Locator("#confirm")).ToContainTextAsync("Your coupon comes back.");
        await page.Locator("#confirm-yes").ClickAsync();
        await HearsAsync(page, "The order is returned, and the coupon is free again.");
        await Expect(page.Locator($"#own-{coupon.Id} .pill")).ToHaveTextAsync("ready to use");
    });

    [Fact]
    public Task A_shopper_joins_a_line_by_keyboard_sees_the_place_and_orders_in_turn() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3, name: "Limited lamp");
        var sale = await Stack.EventAsync(opensIn: Tomorrow, name: "Lamp sale", productIds: [product.Id], waitingRoomRate: 1);
        var ahead = await Stack.UsersAsync($"ahead-{sale.Id}", 12);
        foreach (var shopper in ahead) await shopper.JoinAsync(sale.Id);
        var page = await browser.ShopAsync(Shop, $"in-line-{sale.Id}", Phone);
        var card = page.Locator($"#event-{sale.Id}");
        await Expect(page.Locator($"#product-{product.Id}")).ToContainTextAsync("For those whose turn it is: Lamp sale");
        await Expect(page.Locator($"#buy-{product.Id}")).ToHaveCountAsync(0);

        await TabAsync(page, page.Locator($"#join-{sale.Id}"));
        await page.Keyboard.PressAsync("Enter");
        await Expect(card.Locator(".line")).ToContainTextAsync("You are number 13 of 13.");
        await page.ReloadAsync();
        await Expect(card.Locator(".line")).ToContainTextAsync("You are number 13 of 13.");
        // Redis loses the room, and all shoppers get a new place.
        await Stack.RedisAsync("DEL", $"{{waiting:{sale.Id}}}:room");
        await HearsAsync(page, "the shop has lost the line");
        await TabAsync(page, page.Locator($"#leave-{sale.Id}"));
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator($"#join-{sale.Id}")).ToBeVisibleAsync();
        foreach (var shopper in ahead.Take(3)) await shopper.JoinAsync(sale.Id);
        using (await Stack.EventActionAsync(sale.Id, "open")) { }
        await page.Locator($"#join-{sale.Id}").ClickAsync();

        await HearsAsync(page, "Lamp sale: it is your turn.");
        await Expect(card.Locator(".line")).ToContainTextAsync("It is your turn: order within");
        await FitsAsync(page);
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await OrderAsync(page);
        await PayAsync(page);
        await Expect(page.Locator("#orders .pill").First).ToHaveTextAsync("paid");
        await CheckConsistencyAsync();
    });

    [Fact]
    public Task Money_goes_back_only_after_a_second_word() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3);
        var page = await browser.ShopAsync(Shop, $"unsure-{product.Id}");
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await OrderAsync(page);
        await PayAsync(page);
        await Expect(page.Locator("#orders .pill").First).ToHaveTextAsync("paid");
        await page.Locator("#orders").GetByRole(AriaRole.Button, new() { Name = "Refund" }).ClickAsync();
        await page.Locator("#confirm").GetByRole(AriaRole.Button, new() { Name = "Keep it" }).ClickAsync();
        await Expect(page.Locator("#orders .pill").First).ToHaveTextAsync("paid");
        await page.Locator("#orders").GetByRole(AriaRole.Button, new() { Name = "Refund" }).ClickAsync();
        await page.Locator("#confirm-yes").ClickAsync();
        await Expect(page.Locator("#orders .pill").First).ToHaveTextAsync("refunded");
        await CheckConsistencyAsync();
    });

    [Fact]
    public Task One_of_several_items_is_returned_and_the_page_shows_the_state_of_the_line() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3, price: 12_000);
        var name = $"returns-{product.Id}";
        var page = await browser.ShopAsync(Shop, name);
        var shopper = (await Stack.UsersAsync(name, 1))[0] with { Token = (await page.EvaluateAsync<string>("sessionStorage.getItem('token')"))! };
        var purchase = new Purchase(Stack.Sandbox, shopper, product, await shopper.PlaceAsync(product.Id, 2));
        using (await purchase.PrepareAsync()) { }
        await purchase.ApprovedAsync(await Stack.Sandbox.PayAsync(purchase.OrderId, purchase.Order.TotalAmount));
        await CheckConsistencyAsync();
        await page.ReloadAsync();
        var order = page.Locator($"#order-{purchase.OrderId}");

        await order.GetByRole(AriaRole.Button, new() { Name = "Return one" }).ClickAsync();
        await page.Locator("#confirm-yes").ClickAsync();

        await HearsAsync(page, "₩12,000 refunded.");
        await Expect(order).ToContainTextAsync("1 of 2 refunded");
        using (await Stack.Admin.PostAsJsonAsync($"/api/admin/orders/{purchase.OrderId}/fulfilment", new { state = "PREPARING" }, Cancelled)) { }
        await page.ReloadAsync();
        await Expect(order).ToContainTextAsync("being prepared");
        await Expect(order.Locator(".pill")).ToHaveTextAsync("partly refunded");
        await Expect(order).ToContainTextAsync("₩12,000 refunded");
        await CheckConsistencyAsync();
    });

    [Fact]
    public Task After_a_refund_of_a_part_the_page_shows_it_and_offers_the_rest() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3, price: 12_000);
        var name = $"partly-{product.Id}";
        var page = await browser.ShopAsync(Shop, name);
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await OrderAsync(page);
        await PayAsync(page);
        var order = page.Locator("#orders li").First;
        await Expect(order.Locator(".pill")).ToHaveTextAsync("paid");
        var orderId = (await order.GetAttributeAsync("id"))!["order-".Length..];
        // One refund is made in another window of the shopper, and one at the gateway.
        var shopper = (await Stack.UsersAsync(name, 1))[0] with { Token = (await page.EvaluateAsync<string>("sessionStorage.getItem('token')"))! };
        using var part = await shopper.PostAsync($"/api/payments/{orderId}/refund", new { amount = 2_000, reason = "scratched" });
        Assert.True(part.IsSuccessStatusCode, await part.Content.ReadAsStringAsync());
        await page.ReloadAsync();
        await Expect(order.Locator(".pill")).ToHaveTextAsync("partly refunded");
        await Expect(order).ToContainTextAsync("₩2,000 refunded");

        // The refund comes after the page was read, so the page offers too much. The response has the rest.
        await Stack.Sandbox.GiveBackAsync(orderId, 1_000);
        await order.GetByRole(AriaRole.Button, new() { Name = "Refund" }).ClickAsync();
        await Expect(page.Locator("#confirm")).ToContainTextAsync("You get ₩10,000 back. ₩2,000 came back before.");
        await page.Locator("#confirm-yes").ClickAsync();
        await HearsAsync(page, "At most 9000 won can be refunded.");
        await Expect(order).ToContainTextAsync("₩3,000 refunded");

        await order.GetByRole(AriaRole.Button, new() { Name = "Refund" }).ClickAsync();
        await page.Locator("#confirm-yes").ClickAsync();
        await HearsAsync(page, "₩9,000 refunded.");
        await Expect(order.Locator(".pill")).ToHaveTextAsync("refunded");
        await Expect(order.GetByRole(AriaRole.Button)).ToHaveCountAsync(0);
        await CheckConsistencyAsync();
    });

    [Fact]
    public Task A_reload_while_paying_asks_again_and_pays_once() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3);
        var page = await browser.ShopAsync(Shop, $"nervous-{product.Id}");
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await OrderAsync(page);
        // The response to the first request is lost.
        var asked = 0;
        await page.RouteAsync("**/api/payments/approve", route => ++asked == 1 ? Task.CompletedTask : route.ContinueAsync());
        await page.GetByRole(AriaRole.Button, new() { Name = "Pay" }).ClickAsync();
        await Expect(page.Locator("#paying-text")).ToHaveTextAsync("Paying …");
        await Expect(page.Locator("#sign-in")).ToBeHiddenAsync();

        await page.ReloadAsync();

        await HearsAsync(page, "Paid. Thank you!");
        Assert.Equal(Shop.ToString(), page.Url);
        await Expect(page.Locator($"#product-{product.Id}")).ToContainTextAsync("Only 2 left");
        await CheckConsistencyAsync();
    });

    [Fact]
    public Task A_limit_is_shown_before_the_order_and_told_when_it_is_reached() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 30, maxPerCustomer: 2);
        var page = await browser.ShopAsync(Shop, $"limited-{product.Id}");
        await Expect(page.Locator($"#product-{product.Id}")).ToContainTextAsync("At most 2 per customer");
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await page.GetByLabel("Quantity").FillAsync("3");
        await page.GetByLabel("Postcode").PressAsync("Enter");
        await Expect(page.Locator("#quantity-wrong")).ToHaveTextAsync("Quantity must be 1 to 2.");
        await page.GetByLabel("Quantity").FillAsync("2");
        await OrderAsync(page);
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await HearsAsync(page, "You have not paid yet.");

        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await FillAddressAsync(page);
        await page.GetByRole(AriaRole.Button, new() { Name = "Order and pay" }).ClickAsync();

        await Expect(page.Locator("#quantity-wrong")).ToHaveTextAsync(
            $"Quantity is not accepted: One customer can have 2 of product {product.Id}, and your orders have 2. Cancel an unpaid order of it first.");
    });

    [Fact]
    public Task What_is_wrong_is_said_beside_its_field() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3);
        var page = await browser.ShopAsync(Shop, $"hasty-{product.Id}");
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await page.GetByLabel("Quantity").FillAsync("4");
        await page.GetByLabel("Postcode").FillAsync("1");
        await page.GetByLabel("Postcode").PressAsync("Enter");
        await Expect(page.Locator("#quantity-wrong")).ToHaveTextAsync("Quantity must be 1 to 3.");
        await Expect(page.Locator("#phone-wrong")).ToHaveTextAsync("Phone is missing.");
        await Expect(page.GetByLabel("Postcode")).ToHaveAccessibleDescriptionAsync("Postcode must be 5 digits.");
        await Expect(page.GetByLabel("Quantity")).ToBeFocusedAsync();
    });

    [Fact]
    public Task A_shopper_without_a_mouse_signs_in_orders_and_pays() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3, name: $"Keyboard {Guid.NewGuid():N}");
        var page = await browser.OpenAsync(Shop);
        await Expect(page.Locator($"#buy-{product.Id}")).ToBeVisibleAsync();
        await TypeAsync(page, "Name", $"keys-{product.Id}");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#stream")).ToHaveTextAsync("Live");
        await TabAsync(page, page.GetByRole(AriaRole.Button, new() { Name = $"Buy {product.Name}" }));
        await page.Keyboard.PressAsync("Enter");
        await TypeAsync(page, "Phone", "010-1234-5678");
        await TypeAsync(page, "Postcode", "04524");
        await TypeAsync(page, "Address", "110 Sejong-daero, Jung-gu, Seoul");
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForURLAsync(url => url.Contains("/pay", StringComparison.Ordinal));
        await TabAsync(page, page.GetByRole(AriaRole.Button, new() { Name = "Pay" }));
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#orders li").First).ToContainTextAsync("paid");
        await Expect(page.Locator("#mine-title")).ToBeFocusedAsync();
    });

    [Fact]
    public Task On_a_phone_nothing_is_wider_than_the_screen() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3);
        var page = await browser.ShopAsync(Shop, $"phone-{product.Id}", Phone);
        await Expect(page.Locator($"#buy-{product.Id}")).ToBeVisibleAsync();
        await FitsAsync(page);
        await page.Locator($"#buy-{product.Id}").TapAsync();
        await FitsAsync(page);
        await OrderAsync(page);
        await FitsAsync(page);
        await PayAsync(page);
        await Expect(page.Locator("#orders li").First).ToContainTextAsync("paid");
        await FitsAsync(page);
    });

    [Fact]
    public Task Nothing_moves_for_those_who_ask_for_that() => BrowseAsync(async browser =>
    {
        var opening = await Stack.EventAsync(Tomorrow);
        var page = await browser.ShopAsync(Shop, "still");
        using var answer = await Stack.EventActionAsync(opening.Id, "open");
        await page.Locator($"#event-{opening.Id}.just-opened").WaitForAsync();
        const string Durations = """
            id => [getComputedStyle(document.getElementById(id)).animationDuration, getComputedStyle(document.querySelector('button')).transitionDuration]
            """;

        await page.EmulateMediaAsync(new() { ReducedMotion = ReducedMotion.Reduce });
        Assert.Equal(["0s", "0s"], await page.EvaluateAsync<string[]>(Durations, $"event-{opening.Id}"));

        await page.EmulateMediaAsync(new() { ReducedMotion = ReducedMotion.NoPreference });
        Assert.Equal(["1.4s", "0.15s"], await page.EvaluateAsync<string[]>(Durations, $"event-{opening.Id}"));
    });

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public Task Every_text_stands_out_from_what_is_behind_it(ColorScheme scheme) => BrowseAsync(async browser =>
    {
        await Stack.EventAsync(Tomorrow);
        await Stack.ProductAsync(stock: 3);
        var coupon = await Stack.CouponAsync(total: 1);
        var page = await browser.ShopAsync(Shop, $"sharp-{coupon.Id}", new() { ColorScheme = scheme });
        await page.Locator($"#issue-{coupon.Id}").ClickAsync();
        await Expect(page.Locator($"#own-{coupon.Id}")).ToBeVisibleAsync();
        Assert.Empty(await page.EvaluateAsync<string[]>(FaintTexts));
    });

    [Fact]
    public Task After_signing_out_nothing_of_the_user_is_left() => BrowseAsync(async browser =>
    {
        var coupon = await Stack.CouponAsync(total: 3);
        var product = await Stack.ProductAsync(stock: 3);
        var page = await browser.ShopAsync(Shop, $"first-{coupon.Id}");
        await page.Locator($"#issue-{coupon.Id}").ClickAsync();
        await Expect(page.Locator($"#own-{coupon.Id}")).ToBeVisibleAsync();
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await page.GetByLabel("Phone").FillAsync("010-1234-5678");
        await page.GetByRole(AriaRole.Button, new() { Name = "Back", Exact = true }).ClickAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await SignInAsync(page, $"second-{coupon.Id}");

        await page.Locator($"#issue-{coupon.Id}").WaitForAsync();
        await Expect(page.Locator($"#own-{coupon.Id}")).ToHaveCountAsync(0);
        await page.Locator($"#buy-{product.Id}").ClickAsync();
        await Expect(page.GetByLabel("Phone")).ToHaveValueAsync("");
        Assert.DoesNotContain($"first-{coupon.Id}", await page.ContentAsync(), StringComparison.Ordinal);
    });

    [Fact]
    public Task Who_is_not_signed_in_any_more_is_asked_to() => BrowseAsync(async browser =>
    {
        var page = await browser.ShopAsync(Shop, "expired");
        await page.EvaluateAsync("sessionStorage.setItem('token', 'expired')");
        await HearsAsync(page, "Your sign-in has ended. Please sign in again.");
        await Expect(page.GetByLabel("Name", new() { Exact = true })).ToBeFocusedAsync();
    });

    [Fact]
    public Task A_shop_that_cannot_be_reached_says_so_and_when_it_is_back() => BrowseAsync(async browser =>
    {
        var page = await browser.ShopAsync(Shop, "offline");
        await page.Context.SetOfflineAsync(true);
        await HearsAsync(page, "The shop does not answer. Is there a connection?");
        await page.Context.SetOfflineAsync(false);
        await HearsAsync(page, "The connection is back.");
    });

    [Fact]
    public async Task Nothing_from_elsewhere_and_nothing_inline_may_run()
    {
        using var answer = await Stack.Anonymous.GetAsync("/", Cancelled);
        Assert.Equal(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            Assert.Single(answer.Headers.GetValues("Content-Security-Policy")));
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));

        await using var browser = chromium.Open();
        var page = await browser.OpenAsync(Shop);
        await page.EvaluateAsync("() => { const script = document.createElement('script'); script.text = 'window.injected = true'; document.body.append(script); }");
        Assert.False(await page.EvaluateAsync<bool>("window.injected === true"));
        Assert.Contains("Content Security Policy", Assert.Single(browser.Complaints), StringComparison.Ordinal);
    }

    /// <summary>
    /// Text with a contrast below 4.5, or 3 for large text (WCAG 2, level AA). Decoration is hidden from assistive technology.
    /// </summary>
    const string FaintTexts = """
        () => {
          const channels = color => color.match(/[\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
          const behind = e => { const c = channels(getComputedStyle(e).backgroundColor); return c.length === 3 || c[3] === 1 ? c : behind(e.parentElement); };
          return [...document.querySelectorAll('body *')]
            .filter(e => e.checkVisibility() && !e.closest('[aria-hidden]') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
            .map(e => [e, [light(channels(getComputedStyle(e).color)), light(behind(e))].sort((a, b) => b - a), parseFloat(getComputedStyle(e).fontSize)])
            .filter(([, [a, b], size]) => (a + .05) / (b + .05) < (size >= 24 ? 3 : 4.5))
            .map(([e, [a, b]]) => `${e.tagName}.${e.className} ${((a + .05) / (b + .05)).toFixed(2)}: ${e.textContent}`);
        }
        """;

    /// <summary>Runs a story. No page may report an error.</summary>
    async Task BrowseAsync(Func<Browser, Task> story)
    {
        await using var browser = chromium.Open();
        await story(browser);
        Assert.Empty(browser.Complaints);
    }

    static ILocator StateOf(IPage page, SaleEvent saleEvent) => page.Locator($"#event-{saleEvent.Id} .head .pill");

    /// <summary>Puts the page into the background, where it does not poll. All updates then come from the stream.</summary>
    static async Task HideAsync(IPage page) => await page.EvaluateAsync("Object.defineProperty(document, 'hidden', { value: true })");

    static async Task SignInAsync(IPage page, string user)
    {
        await page.GetByLabel("Name", new() { Exact = true }).FillAsync(user);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
    }

    static Task HearsAsync(IPage page, string text) => Expect(page.Locator("#notices")).ToContainTextAsync(text);

    /// <summary>Fills the form, from the open dialog to the payment window.</summary>
    static async Task FillAddressAsync(IPage page)
    {
        await page.GetByLabel("Phone").FillAsync("010-1234-5678");
        await page.GetByLabel("Postcode").FillAsync("04524");
        await page.GetByLabel("Address", new() { Exact = true }).FillAsync("110 Sejong-daero, Jung-gu, Seoul");
    }

    static async Task OrderAsync(IPage page)
    {
        await FillAddressAsync(page);
        await page.GetByRole(AriaRole.Button, new() { Name = "Order and pay" }).ClickAsync();
        await page.WaitForURLAsync(url => url.Contains("/pay", StringComparison.Ordinal));
    }

    static async Task PayAsync(IPage page)
    {
        await page.GetByRole(AriaRole.Button, new() { Name = "Pay" }).ClickAsync();
        await HearsAsync(page, "Paid. Thank you!");
    }

    static async Task FitsAsync(IPage page) =>
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= 390 && window.innerWidth === 390"), page.Url);

    /// <summary>Presses Tab until the element has the focus.</summary>
    static async Task TabAsync(IPage page, ILocator target)
    {
        for (var i = 0; i < 1000 && !await target.EvaluateAsync<bool>("e => e === document.activeElement"); i++) await page.Keyboard.PressAsync("Tab");
        await Expect(target).ToBeFocusedAsync();
    }

    static async Task TypeAsync(IPage page, string label, string text)
    {
        await TabAsync(page, page.GetByLabel(label, new() { Exact = true }));
        await page.Keyboard.TypeAsync(text);
    }
}
