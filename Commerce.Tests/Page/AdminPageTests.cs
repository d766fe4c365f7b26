using System.Globalization;
using Commerce.Core.Coupons;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Commerce.Tests.Page;

/// <summary>The operator's page at <c>/admin</c>, in a browser.</summary>
public sealed class AdminPageTests(CommerceStack stack, Chromium chromium) : PaymentStackTests(stack), IClassFixture<Chromium>
{
    static readonly string[] Sections = ["live", "events", "coupons", "products", "orders", "messages", "health", "trail"];

    Uri Shop => Stack.Anonymous.BaseAddress!;

    [Theory]
    [InlineData("en-US")]
    [InlineData("ko-KR")]
    public Task An_operator_creates_an_event_and_watches_its_sale(string locale) => BrowseAsync(async browser =>
    {
        var texts = Texts.Of(locale);
        var (productName, couponName, eventName) = ($"키보드 {Guid.NewGuid():N}", $"쿠폰 {Guid.NewGuid():N}", $"세일 {Guid.NewGuid():N}");
        var page = await OpenAsync(browser, new() { Locale = locale });
        await Expect(page).ToHaveTitleAsync(texts["page.admin"]);

        await GoAsync(page, texts["admin.products"]);
        await CreateAsync(page, productName,
            (texts["adminProduct.name"], productName), (texts["adminProduct.price"], "45000"), (texts["adminProduct.stock"], "10"), (texts["adminProduct.maxPerCustomer"], "2"));
        await Expect(RowOf(page, productName)).ToContainTextAsync(texts.Say("adminProduct.inStock", ("count", 10)));
        await RowOf(page, productName).GetByRole(AriaRole.Button, new() { Name = texts["adminProduct.adjust"] }).ClickAsync();
        await FillAsync(page, (texts["adminProduct.delta"], "-3"), (texts["adminProduct.reason"], "파손"));
        await Expect(RowOf(page, productName)).ToContainTextAsync(texts.Say("adminProduct.inStock", ("count", 7)));
        await RowOf(page, productName).GetByRole(AriaRole.Button, new() { Name = texts["adminProduct.history"] }).ClickAsync();
        await Expect(page.Locator("#detail li").First).ToContainTextAsync("-3");
        await Expect(page.Locator("#detail li").Last).ToContainTextAsync(texts["stock.OPENING"]);
        await page.Locator("#detail").GetByRole(AriaRole.Button, new() { Name = texts["back"] }).ClickAsync();

        await GoAsync(page, texts["admin.coupons"]);
        await CreateAsync(page, couponName,
            (texts["adminCoupon.name"], couponName), (texts["adminCoupon.discount"], "5000"), (texts["adminCoupon.totalQuantity"], "3"),
            (texts["adminCoupon.startsAt"], At(TimeSpan.FromHours(-1))), (texts["adminCoupon.endsAt"], At(TimeSpan.FromHours(1))));

        await GoAsync(page, texts["events"]);
        await page.Locator("#new").ClickAsync();
        await page.Locator("#form").GetByLabel(couponName).CheckAsync();
        await page.Locator("#form").GetByLabel(productName).CheckAsync();
        await FillAsync(page,
            (texts["event.name"], eventName), (texts["event.opensAt"], At(TimeSpan.FromSeconds(20))), (texts["event.closesAt"], At(TimeSpan.FromHours(1))));
        await Expect(RowOf(page, eventName)).ToContainTextAsync(texts.Say("event.content", ("coupons", 1), ("products", 1)));
        var id = long.Parse((await RowOf(page, eventName).GetAttributeAsync("id"))!["event-".Length..], CultureInfo.InvariantCulture);
        Stack.CreatedEvents.Add(id);

        await GoAsync(page, texts["live"]);
        var state = page.Locator($"#sale-{id} .pill");
        await Expect(state).ToHaveTextAsync(texts["event.PENDING"]);
        await Expect(page.Locator($"#sale-{id} .countdown")).ToHaveTextAsync(new System.Text.RegularExpressions.Regex("^00:[0-2][0-9]$"));
        await page.Locator($"#watch-{id}").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = texts.Say("live.title", ("name", eventName)) })).ToBeVisibleAsync();
        await Expect(page.Locator("#stream")).ToHaveTextAsync(texts["stream.live"]);
        await Expect(page.Locator("#coupons-left")).ToHaveTextAsync("3");
        await Expect(state).ToHaveTextAsync(texts["event.OPEN"]);

        var shopper = (await Stack.UsersAsync($"shopper-{id}", 1))[0];
        var (coupon, product) = await FindAsync(id);
        Assert.Equal("", await shopper.TakeAsync(coupon));
        await shopper.PlaceAsync(product);

        await Expect(page.Locator("#coupons-left")).ToHaveTextAsync("2");
        await Expect(page.Locator($"#live-coupon-{coupon}")).ToContainTextAsync(texts.Say("live.couponIssued", ("name", couponName), ("issued", 1), ("total", 3)));
        await Expect(page.Locator($"#live-product-{product}")).ToContainTextAsync(texts.Say("live.productLeft", ("name", productName), ("count", 6)));
        await Expect(page.Locator("#orders-placed")).ToHaveTextAsync("1");
        await Expect(page.Locator("#orders-holding")).ToHaveTextAsync("1");
        Assert.StartsWith(texts["live.ordersPerSecond"], await page.Locator(".figure svg").Nth(1).GetAttributeAsync("aria-label"), StringComparison.Ordinal);

        await GoAsync(page, texts["admin.orders"]);
        await page.GetByLabel(texts["adminOrders.user"], new() { Exact = true }).FillAsync(shopper.Id);
        await page.Locator("#search").ClickAsync();
        await Expect(page.Locator("#order-list li")).ToHaveCountAsync(1);
        await Expect(page.Locator("#order-list .pill")).ToHaveTextAsync(texts["adminOrder.CREATED"]);

        await page.Locator("#order-list").GetByRole(AriaRole.Button, new() { Name = texts["adminOrder.detail"] }).ClickAsync();
        await Expect(page.Locator("#order-history")).ToContainTextAsync(texts["step.CREATED"]);
        await page.Locator("#detail").GetByRole(AriaRole.Button, new() { Name = texts["back"] }).ClickAsync();
        await page.Locator("#order-list").GetByRole(AriaRole.Button, new() { Name = texts["admin.cancel"] }).ClickAsync();
        await FillAsync(page, (texts["adminOrder.reason"], "고객 요청"));
        await Expect(page.Locator("#order-list .pill")).ToHaveTextAsync(texts["order.CANCELLED"]);
        await GoAsync(page, texts["admin.trail"]);
        await Expect(page.Locator("#trail-list li").First).ToContainTextAsync("고객 요청");
        await Expect(page.Locator("#trail-list li").First).ToContainTextAsync(texts["action.CancelOrderForCustomer"]);

        await GoAsync(page, texts["admin.health"]);
        await Expect(page.Locator("#dependency-list li").First).ToBeVisibleAsync();
        await page.Locator("#run-audit").ClickAsync();
        await Expect(page.Locator("#finding-list li").First).ToBeVisibleAsync();

        await GoAsync(page, texts["events"]);
        await RowOf(page, eventName).GetByRole(AriaRole.Button, new() { Name = texts["admin.cancel"] }).ClickAsync();
        await page.Locator("#confirm-yes").ClickAsync();
        await Expect(RowOf(page, eventName).Locator(".pill")).ToHaveTextAsync(texts["event.CANCELLED"]);
    });

    [Theory]
    [InlineData("en-US")]
    [InlineData("ko-KR")]
    public Task A_paid_order_is_prepared_shipped_delivered_and_partly_refunded(string locale) => BrowseAsync(async browser =>
    {
        var texts = Texts.Of(locale);
        var purchase = await PayAsync($"delivered-{Guid.NewGuid():N}");
        var page = await OpenAsync(browser, new() { Locale = locale });
        await GoAsync(page, texts["admin.orders"]);
        await page.GetByLabel(texts["adminOrders.user"], new() { Exact = true }).FillAsync(purchase.User.Id);
        await page.Locator("#search").ClickAsync();
        await page.Locator($"#advance-{purchase.OrderId}").ClickAsync();
        await page.Locator("#confirm-yes").ClickAsync();
        await Expect(page.Locator("#order-list .pill")).ToContainTextAsync(texts["fulfilment.PREPARING"]);
        await page.Locator($"#advance-{purchase.OrderId}").ClickAsync();
        await FillAsync(page, (texts["adminOrder.trackingNumber"], "6865-1234"));
        await Expect(page.Locator("#order-list .pill")).ToContainTextAsync(texts["fulfilment.SHIPPED"]);
        await page.Locator($"#advance-{purchase.OrderId}").ClickAsync();
        await page.Locator("#confirm-yes").ClickAsync();
        await Expect(page.Locator("#order-list .pill")).ToContainTextAsync(texts["fulfilment.DELIVERED"]);

        await page.Locator($"#refund-{purchase.OrderId}").ClickAsync();
        await FillAsync(page, (texts["adminOrder.refundAmount"], "100"), (texts["adminOrder.reason"], "scratched"));

        await Expect(page.Locator("#order-list .pill")).ToHaveTextAsync($"{texts["order.partlyRefunded"]}, {texts["fulfilment.DELIVERED"]}");
        await page.Locator($"#detail-{purchase.OrderId}").ClickAsync();
        await Expect(page.Locator("#order-history li")).ToHaveCountAsync(6);
        await Expect(page.Locator("#order-history")).ToContainTextAsync("6865-1234");
        await CheckConsistencyAsync();
    });

    [Theory]
    [InlineData("en-US")]
    [InlineData("ko-KR")]
    public Task An_operator_without_a_mouse_finds_an_order_by_name_and_refunds_units_of_its_lines(string locale) => BrowseAsync(async browser =>
    {
        var texts = Texts.Of(locale);
        var (kept, returned) = (await Stack.ProductAsync(stock: 10, Price, name: "Kept"), await Stack.ProductAsync(stock: 10, Price, name: "Returned"));
        var user = (await Stack.UsersAsync($"by-line-{Guid.NewGuid():N}", 1))[0];
        var purchase = new Purchase(Stack.Sandbox, user, returned, await user.PlaceAsync([new(kept.Id, 2), new(returned.Id, 3)]));
        using (await purchase.PrepareAsync()) { }
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        await Eventually.EqualAsync(7, () => StockAsync(purchase));
        await Database.ExecuteAsync("UPDATE shipping_info SET recipient = @Id WHERE order_id = @OrderId", new { user.Id, purchase.OrderId }, Cancelled);
        var page = await OpenAsync(browser, new() { Locale = locale });
        await GoAsync(page, texts["admin.orders"]);

        await TabAsync(page, page.GetByLabel(texts["adminOrders.recipient"], new() { Exact = true }));
        await page.Keyboard.TypeAsync(user.Id[..20]);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#order-list li")).ToHaveCountAsync(1);
        await OpenRefundAsync();
        await ShouldBeAccessibleAsync(page);
        // The form has neither units nor an amount.
        await TypeAsync(texts["adminOrder.reason"], "broken");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#form-wrong")).ToHaveTextAsync(texts["adminOrder.refundEither"]);
        await TypeAsync(Named("adminOrder.refundUnits", returned, 3), "4");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator($"#field-units-{returned.Id}")).ToBeFocusedAsync();
        await TypeAsync(Named("adminOrder.refundUnits", returned, 3), "2");
        await TabAsync(page, page.GetByLabel(Named("adminOrder.restock", returned, 3)));
        await page.Keyboard.PressAsync("Space");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#form")).ToBeHiddenAsync();
        await Expect(page.Locator("#order-list .pill")).ToHaveTextAsync(texts["order.partlyRefunded"]);
        Assert.Equal(7, await StockAsync(purchase));

        await OpenRefundAsync();
        await TypeAsync(Named("adminOrder.refundUnits", returned, 1), "1");
        await TypeAsync(texts["adminOrder.reason"], "not wanted");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#form")).ToBeHiddenAsync();
        await Eventually.EqualAsync(8, () => StockAsync(purchase));
        await TabAsync(page, page.Locator($"#detail-{purchase.OrderId}"));
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#detail")).ToContainTextAsync(texts.Say(
            "order.itemsRefunded", ("name", returned.Name), ("refunded", 3), ("quantity", 3)));
        await Expect(page.Locator("#detail-title")).ToBeFocusedAsync();
        await ShouldBeAccessibleAsync(page);
        Assert.Equal(2 * Price, await purchase.CapturedAsync());
        await CheckConsistencyAsync();

        string Named(string key, Product product, int count) => texts.Say(key, ("name", product.Name), ("count", count));

        async Task OpenRefundAsync()
        {
            await TabAsync(page, page.Locator($"#refund-{purchase.OrderId}"));
            await page.Keyboard.PressAsync("Enter");
            await Expect(page.Locator("#form")).ToBeVisibleAsync();
        }

        async Task TypeAsync(string label, string text)
        {
            await TabAsync(page, page.Locator("#form").GetByLabel(label, new() { Exact = true }));
            await page.Keyboard.PressAsync("Control+A");
            await page.Keyboard.TypeAsync(text);
        }
    });

    [Theory]
    [InlineData("en-US")]
    [InlineData("ko-KR")]
    public Task From_the_plan_of_a_sale_with_a_waiting_room_to_a_delivered_and_partly_refunded_order(string locale) => BrowseAsync(async browser =>
    {
        var texts = Texts.Of(locale);
        var (productName, eventName, recipient) = ($"램프 {Guid.NewGuid():N}", $"램프 세일 {Guid.NewGuid():N}", $"길동{Guid.NewGuid():N}");
        var admin = await OpenAsync(browser, new() { Locale = locale });
        await GoAsync(admin, texts["admin.products"]);
        await CreateAsync(admin, productName, (texts["adminProduct.name"], productName), (texts["adminProduct.price"], "45000"), (texts["adminProduct.stock"], "10"));
        await GoAsync(admin, texts["events"]);
        await admin.Locator("#new").ClickAsync();
        await admin.Locator("#form").GetByLabel(productName).CheckAsync();
        await FillAsync(admin,
            (texts["event.name"], eventName), (texts["event.opensAt"], At(TimeSpan.FromHours(1))), (texts["event.maxPerCustomer"], "2"), (texts["event.waitingRoomRate"], "1"));
        var id = long.Parse((await RowOf(admin, eventName).GetAttributeAsync("id"))!["event-".Length..], CultureInfo.InvariantCulture);
        Stack.CreatedEvents.Add(id);
        var product = (await Stack.FindEventAsync(id)).ProductIds[0];

        await (await Stack.UsersAsync($"ahead-{id}", 1))[0].JoinAsync(id);
        var shop = await browser.OpenAsync(Shop, new() { Locale = locale });
        await shop.Locator("#name").FillAsync($"shopper-{id}");
        await shop.Locator("#sign-in-button").ClickAsync();
        await Expect(shop.Locator("#stream")).ToHaveTextAsync(texts["stream.live"]);
        await shop.Locator($"#join-{id}").ClickAsync();
        await Expect(shop.Locator($"#event-{id} .line")).ToContainTextAsync(texts.Say("line.position", ("position", 2)));
        await Expect(shop.Locator($"#event-{id}")).ToContainTextAsync(texts.Say("sale.limit", ("count", 2)));
        await Expect(shop.Locator($"#buy-{product}")).ToHaveCountAsync(0);
        foreach (var page in new[] { admin, shop }) Assert.Equal(locale[..2], await page.Locator("html").GetAttributeAsync("lang"));

        await GoAsync(admin, texts["live"]);
        await admin.Locator($"#watch-{id}").ClickAsync();
        await Expect(admin.Locator("#line-waiting")).ToHaveTextAsync("2");
        await Expect(admin.Locator("#line-rate")).ToHaveTextAsync("1");
        await ShouldBeAccessibleAsync(admin);
        await GoAsync(admin, texts["events"]);
        await admin.Locator($"#open-{id}").ClickAsync();
        await admin.Locator("#confirm-yes").ClickAsync();
        await Expect(RowOf(admin, eventName).Locator(".pill")).ToHaveTextAsync(texts["event.OPEN"]);

        await Expect(shop.Locator("#notices")).ToContainTextAsync(texts.Say("line.yourTurn", ("name", eventName)));
        await Expect(shop.Locator($"#event-{id} .head .pill")).ToHaveTextAsync(texts["event.OPEN"]);
        await Expect(shop.Locator($"#event-{id} .line")).ToContainTextAsync(texts["line.turn"].Split("{left}")[0]);
        await ShouldBeAccessibleAsync(shop);
        await shop.Locator($"#buy-{product}").ClickAsync();
        foreach (var (field, value) in new[] { ("quantity", "2"), ("recipient", recipient), ("phone", "010-1234-5678"), ("zipcode", "04524"), ("address1", "110 Sejong-daero") })
            await shop.Locator($"#{field}").FillAsync(value);
        await Expect(shop.Locator("#total")).ToHaveTextAsync("₩90,000");
        await shop.Locator("#place").ClickAsync();
        await shop.WaitForURLAsync(url => url.Contains("/pay", StringComparison.Ordinal));
        await shop.GetByRole(AriaRole.Button, new() { Name = "Pay" }).ClickAsync();
        await Expect(shop.Locator("#notices")).ToContainTextAsync(texts["pay.thanks"]);
        var bought = shop.Locator("#orders li").First;
        await Expect(bought.Locator(".pill")).ToHaveTextAsync(texts["order.PAID"]);
        var order = (await bought.GetAttributeAsync("id"))!["order-".Length..];

        await GoAsync(admin, texts["live"]);
        await admin.Locator($"#watch-{id}").ClickAsync();
        await Expect(admin.Locator("#line-admitted")).ToHaveTextAsync("1");
        await Expect(admin.Locator("#orders-paid")).ToHaveTextAsync("1");
        await Eventually.EqualAsync(8, () => Database.SingleAsync<int>("SELECT stock FROM product WHERE id = @product", new { product }, Cancelled));
        await GoAsync(admin, texts["admin.orders"]);
        await admin.GetByLabel(texts["adminOrders.recipient"], new() { Exact = true }).FillAsync(recipient[..10]);
        await admin.Locator("#search").ClickAsync();
        await Expect(admin.Locator("#order-list li")).ToHaveCountAsync(1);
        foreach (var state in new[] { "PREPARING", "SHIPPED", "DELIVERED" })
        {
            await admin.Locator($"#advance-{order}").ClickAsync();
            if (state == "SHIPPED") await FillAsync(admin, (texts["adminOrder.trackingNumber"], "6865-1234"));
            else await admin.Locator("#confirm-yes").ClickAsync();
            await Expect(admin.Locator("#order-list .pill")).ToContainTextAsync(texts[$"fulfilment.{state}"]);
        }

        await admin.Locator($"#refund-{order}").ClickAsync();
        await FillAsync(admin,
            (texts.Say("adminOrder.refundUnits", ("name", productName), ("count", 2)), "1"), (texts["adminOrder.reason"], "scratched"));
        await Expect(admin.Locator("#order-list .pill")).ToHaveTextAsync($"{texts["order.partlyRefunded"]}, {texts["fulfilment.DELIVERED"]}");

        await shop.ReloadAsync();
        await Expect(bought.Locator(".pill")).ToHaveTextAsync(texts["order.partlyRefunded"]);
        await Expect(bought).ToContainTextAsync($"{texts["fulfilment.DELIVERED"]} (6865-1234)");
        await Expect(bought).ToContainTextAsync(texts.Say("order.refunded", ("amount", "₩45,000")));
        await Expect(bought).ToContainTextAsync(texts.Say("order.itemsRefunded", ("name", productName), ("refunded", 1), ("quantity", 2)));
        await admin.Locator($"#detail-{order}").ClickAsync();
        await Expect(admin.Locator("#order-history li")).ToHaveCountAsync(6);
        await Expect(admin.Locator("#order-history li").Last).ToContainTextAsync("scratched");
        await ShouldBeAccessibleAsync(admin);
        await admin.Locator("#detail").GetByRole(AriaRole.Button, new() { Name = texts["back"] }).ClickAsync();
        await GoAsync(admin, texts["admin.trail"]);
        foreach (var action in new[] { "CreateProduct", "CreateEvent", "OpenEvent", "AdvanceOrder", "RefundOrderForCustomer" })
            await Expect(admin.Locator("#trail-list").GetByText(texts[$"action.{action}"]).First).ToBeVisibleAsync();
        // Delivered units do not return to the stock automatically.
        Assert.Equal(8, await Database.SingleAsync<int>("SELECT stock FROM product WHERE id = @product", new { product }, Cancelled));
        await CheckConsistencyAsync();
    });

    [Fact]
    public async Task With_a_slash_at_its_end_the_address_answers_the_same()
    {
        using var plain = await Stack.Anonymous.GetAsync("/admin", Cancelled);
        using var slash = await Stack.Anonymous.GetAsync("/admin/", Cancelled);

        Assert.True(slash.IsSuccessStatusCode);
        Assert.Equal(await plain.Content.ReadAsStringAsync(Cancelled), await slash.Content.ReadAsStringAsync(Cancelled));
        Assert.Equal(plain.Headers.GetValues("Content-Security-Policy"), slash.Headers.GetValues("Content-Security-Policy"));
    }

    [Fact]
    public Task In_Korean_nothing_of_the_pages_is_in_English() => BrowseAsync(async browser =>
    {
        var opening = await Stack.EventAsync(3600, name: "한밤의 세일");
        var page = await OpenAsync(browser, new() { Locale = "ko-KR" });
        foreach (var section in Sections)
        {
            await ShowAsync(page, section);
            Assert.Empty(await page.EvaluateAsync<string[]>(EnglishTexts, $"#sale-{opening.Id}, #event-{opening.Id}"));
        }

        await ShowAsync(page, $"live/{opening.Id}");
        await Expect(page.Locator("#coupons-left")).ToHaveTextAsync("0");
        Assert.Empty(await page.EvaluateAsync<string[]>(EnglishTexts, $"#sale-{opening.Id}"));

        var shop = await browser.OpenAsync(Shop, new() { Locale = "ko-KR" });
        await Expect(shop.Locator($"#event-{opening.Id} .pill")).ToHaveTextAsync("시작 예정");
        Assert.Equal("ko", await shop.Locator("html").GetAttributeAsync("lang"));
        Assert.Empty(await shop.EvaluateAsync<string[]>(EnglishTexts, $"#event-{opening.Id}"));
    });

    [Theory]
    [InlineData("en-US")]
    [InlineData("ko-KR")]
    public Task An_operator_enters_the_terms_of_a_coupon_and_a_later_change_keeps_them(string locale) => BrowseAsync(async browser =>
    {
        var texts = Texts.Of(locale);
        var (name, product) = ($"Terms {Guid.NewGuid():N}", await Stack.ProductAsync(stock: 1, name: $"Only {Guid.NewGuid():N}"));
        var page = await OpenAsync(browser, new() { Locale = locale });
        await GoAsync(page, texts["admin.coupons"]);
        await page.Locator("#new").ClickAsync();
        await page.Locator("#form").GetByLabel(product.Name, new() { Exact = true }).CheckAsync();
        await FillAsync(page,
            (texts["adminCoupon.name"], name), (texts["adminCoupon.percent"], "15"), (texts["adminCoupon.discount"], "5000"), (texts["adminCoupon.minOrderAmount"], "20000"),
            (texts["adminCoupon.totalQuantity"], "3"), (texts["adminCoupon.startsAt"], At(TimeSpan.FromHours(-1))), (texts["adminCoupon.endsAt"], At(TimeSpan.FromHours(1))),
            (texts["adminCoupon.validUntil"], At(TimeSpan.FromDays(1))));
        await Expect(RowOf(page, name)).ToContainTextAsync(texts.Say("coupon.percentOff", ("percent", 15), ("amount", "₩5,000")));
        var id = long.Parse((await RowOf(page, name).GetAttributeAsync("id"))!["coupon-".Length..], CultureInfo.InvariantCulture);
        Stack.CreatedCoupons.Add(id);

        await RowOf(page, name).GetByRole(AriaRole.Button, new() { Name = texts["admin.edit"] }).ClickAsync();
        await FillAsync(page, (texts["adminCoupon.percent"], "20"));

        await Expect(RowOf(page, name)).ToContainTextAsync(texts.Say("coupon.percentOff", ("percent", 20), ("amount", "₩5,000")));
        var coupon = (await Stack.Admin.GetFromJsonAsync<Coupon>($"/api/admin/coupons/{id}", Cancelled))!;
        Assert.Equal((20, 5_000, 20_000, null), (coupon.Percent, coupon.Discount, coupon.MinOrderAmount, coupon.ValidFrom));
        Assert.Equal([product.Id], coupon.ProductIds!);
        Assert.InRange(coupon.ValidUntil!.Value, TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(23), TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(25));
        Assert.Null(coupon.EventIds);
    });

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public Task Axe_finds_nothing(ColorScheme scheme) => BrowseAsync(async browser =>
    {
        var coupon = await Stack.CouponAsync(total: 3);
        var product = await Stack.ProductAsync(stock: 3);
        var opening = await Stack.EventAsync(3600, couponIds: [coupon.Id], productIds: [product.Id]);
        await (await Stack.UsersAsync($"axe-{opening.Id}", 1))[0].PlaceAsync(product.Id);
        var page = await OpenAsync(browser, new() { ColorScheme = scheme });
        foreach (var section in Sections)
        {
            await ShowAsync(page, section);
            await ShouldBeAccessibleAsync(page);
        }

        await ShowAsync(page, $"live/{opening.Id}");
        await Expect(page.Locator("#coupons-left")).ToHaveTextAsync("3");
        await ShouldBeAccessibleAsync(page);
        foreach (var section in new[] { "events", "coupons", "products" })
        {
            await ShowAsync(page, section);
            await page.Locator("#new").ClickAsync();
            await ShouldBeAccessibleAsync(page);
            await page.Keyboard.PressAsync("Escape");
        }

        var shop = await browser.ShopAsync(Shop, $"axe-{product.Id}", new() { ColorScheme = scheme });
        await shop.Locator($"#buy-{product.Id}").WaitForAsync();
        await ShouldBeAccessibleAsync(shop);
        await shop.Locator($"#buy-{product.Id}").ClickAsync();
        await ShouldBeAccessibleAsync(shop);
    });

    [Fact]
    public Task On_a_small_phone_nothing_is_wider_than_the_screen() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3);
        var opening = await Stack.EventAsync(3600, productIds: [product.Id]);
        await (await Stack.UsersAsync($"small-{opening.Id}", 1))[0].PlaceAsync(product.Id);
        var page = await OpenAsync(browser, new() { ViewportSize = new() { Width = 360, Height = 740 }, HasTouch = true, IsMobile = true });
        foreach (var section in Sections.Append($"live/{opening.Id}"))
        {
            await ShowAsync(page, section);
            Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= 360 && window.innerWidth === 360"), section);
        }

        await ShowAsync(page, "events");
        await page.Locator("#new").TapAsync();
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= 360 && document.getElementById('form').getBoundingClientRect().right <= 360"));
    });

    [Fact]
    public Task On_a_small_phone_a_form_begins_at_its_top_no_choice_is_cut_and_the_current_section_is_in_view() => BrowseAsync(async browser =>
    {
        // More than the box of the choices shows at once.
        for (var i = 0; i < 6; i++) await Stack.ProductAsync(stock: 3, name: string.Join(' ', Enumerable.Repeat("A limited edition with a long name", 4)));
        await Stack.EventAsync(3600);
        var page = await OpenAsync(browser, new() { ViewportSize = new() { Width = 360, Height = 740 }, HasTouch = true, IsMobile = true });
        await ShowAsync(page, "events");
        await page.Locator("#new").TapAsync();
        await Expect(page.Locator("#form")).ToBeVisibleAsync();
        Assert.Empty(await page.EvaluateAsync<string[]>(
            "[...document.querySelectorAll('#form .check')].filter(row => row.scrollHeight > row.clientHeight || row.querySelector('label').offsetHeight > row.offsetHeight).map(row => row.textContent)"));
        await page.Locator("#form-save").ScrollIntoViewIfNeededAsync();
        Assert.NotEqual(0, await page.Locator("#form").EvaluateAsync<double>("form => form.scrollTop"));
        await page.Keyboard.PressAsync("Escape");

        await page.Locator("#new").TapAsync();
        await Expect(page.Locator("#form")).ToBeVisibleAsync();

        Assert.Equal(0, await page.Locator("#form").EvaluateAsync<double>("form => form.scrollTop"));
        await page.Keyboard.PressAsync("Escape");
        await page.EvaluateAsync("location.hash = 'trail'");
        await Expect(page.Locator("#sections a[aria-current]")).ToHaveTextAsync("Trail");
        await Expect(page.Locator("#sections a[aria-current]")).ToBeInViewportAsync(new() { Ratio = 1 });
    });

    [Fact]
    public Task An_operator_without_a_mouse_goes_from_section_to_section_and_back_from_a_form() => BrowseAsync(async browser =>
    {
        var page = await browser.OpenAsync(new(Shop, "/admin"));
        await TabAsync(page, page.GetByLabel("Name", new() { Exact = true }));
        await page.Keyboard.TypeAsync("keys");
        await page.Keyboard.PressAsync("Enter");
        await TabAsync(page, page.GetByRole(AriaRole.Link, new() { Name = "Products" }));
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Products" })).ToBeFocusedAsync();
        await TabAsync(page, page.Locator("#new"));
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#field-name")).ToBeFocusedAsync();
        await Expect(page.Locator("#field-name-wrong")).ToHaveTextAsync("Name is missing.");
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.Locator("#new")).ToBeFocusedAsync();
    });

    [Fact]
    public Task A_change_of_an_old_version_is_refused_and_says_so() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3, name: "Lamp");
        var page = await OpenAsync(browser);
        await ShowAsync(page, "products");
        await page.Locator($"#edit-{product.Id}").ClickAsync();
        using var other = await Stack.Admin.PutAsJsonAsync(
            $"/api/admin/products/{product.Id}", new ProductChange("Desk lamp", product.Price, OnSale: true, MaxPerCustomer: null), Cancelled);
        Assert.True(other.IsSuccessStatusCode);

        await page.Locator("#form-save").ClickAsync();

        await Expect(page.Locator("#form-wrong")).ToContainTextAsync("Somebody else has changed it meanwhile.");
        await Expect(page.Locator($"#product-{product.Id}")).ToContainTextAsync("Desk lamp");
        // The list has the new version, so the next change is one of it.
        await page.Locator("#form").GetByRole(AriaRole.Button, new() { Name = "Back" }).ClickAsync();
        await page.Locator($"#edit-{product.Id}").ClickAsync();
        await FillAsync(page, ("Name", "Floor lamp"));
        await Expect(page.Locator($"#product-{product.Id}")).ToContainTextAsync("Floor lamp");
    });

    [Fact]
    public Task A_change_of_an_event_keeps_products_that_the_form_does_not_offer() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3);
        var sale = await Stack.EventAsync(3600, productIds: [product.Id]);
        var page = await OpenAsync(browser);
        // As if there were more products than a page has.
        await page.RouteAsync("**/api/admin/products", route => route.FulfillAsync(new() { ContentType = "application/json", Body = "[]" }));
        await ShowAsync(page, "events");
        await page.Locator($"#edit-{sale.Id}").ClickAsync();

        await FillAsync(page, ("Name", $"Renamed {sale.Id}"));

        await Expect(page.Locator($"#event-{sale.Id}")).ToContainTextAsync($"Renamed {sale.Id}");
        Assert.Equal([product.Id], (await Stack.FindEventAsync(sale.Id)).ProductIds);
    });

    [Theory]
    [InlineData("en-US", 503, "dependency-unavailable", "A service does not answer.")]
    [InlineData("ko-KR", 409, "order-not-fulfillable", "지금은 이 단계로 넘길 수 없는 주문입니다.")]
    public Task Every_button_tells_why_nothing_was_done(string locale, int status, string slug, string text) => BrowseAsync(async browser =>
    {
        var texts = Texts.Of(locale);
        var (coupon, product, sale) = (await Stack.CouponAsync(total: 3), await Stack.ProductAsync(stock: 3), await Stack.EventAsync(3600));
        var (unpaid, paid) = (await OrderAsync($"refused-{sale.Id}"), await PayAsync($"refused-paid-{sale.Id}"));
        var page = await OpenAsync(browser, new() { Locale = locale });
        await RefuseAsync(page, "**/api/admin/**", route => route.Request.Method != "GET", status, slug, text);
        await page.RouteAsync("**/api/admin/dead-letters", route => route.FulfillAsync(new()
        {
            ContentType = "application/json",
            Body = """[{"id":1,"topic":"ORDER_PLACED","reason":"Refused","detail":"","failedAt":"2026-01-01T00:00:00Z","replayedAt":null}]""",
        }));

        await AskAsync("events", $"#open-{sale.Id}");
        await AskAsync("events", $"#cancel-{sale.Id}");
        await SaveAsync("events", $"#edit-{sale.Id}");
        await AskAsync("coupons", $"#cancel-{coupon.Id}");
        await SaveAsync("coupons", $"#edit-{coupon.Id}");
        await SaveAsync("products", $"#edit-{product.Id}");
        await SaveAsync("products", $"#adjust-{product.Id}", (texts["adminProduct.delta"], "1"), (texts["adminProduct.reason"], "found"));
        await AskAsync("orders", $"#advance-{paid.OrderId}");
        await SaveAsync("orders", $"#cancel-{unpaid.OrderId}", (texts["adminOrder.reason"], "asked for"));
        await SaveAsync("orders", $"#refund-{paid.OrderId}", (texts["adminOrder.refundAmount"], "100"), (texts["adminOrder.reason"], "scratched"));
        await ShowAsync(page, "messages");
        await page.Locator("#replay-letter-1").ClickAsync();
        await ToldAsync();
        Assert.Equal((OrderState.Created, OrderState.Paid), (await OrderStatusAsync(unpaid), await OrderStatusAsync(paid)));

        async Task AskAsync(string section, string button)
        {
            await ShowAsync(page, section);
            await page.Locator(button).ClickAsync();
            await page.Locator("#confirm-yes").ClickAsync();
            await ToldAsync();
        }

        async Task SaveAsync(string section, string button, params (string Label, string Value)[] fields)
        {
            await ShowAsync(page, section);
            await page.Locator(button).ClickAsync();
            foreach (var (label, value) in fields) await page.Locator("#form").GetByLabel(label, new() { Exact = true }).FillAsync(value);
            await page.Locator("#form-save").ClickAsync();
            await Expect(page.Locator("#form-wrong")).ToHaveTextAsync(text);
            await Expect(page.Locator("#form-save")).ToBeEnabledAsync();
            await page.Keyboard.PressAsync("Escape");
        }

        async Task ToldAsync()
        {
            await Expect(page.Locator("#notices p.bad span")).ToHaveTextAsync(text);
            await page.Locator("#notices").GetByRole(AriaRole.Button, new() { Name = texts["dismiss"] }).ClickAsync();
        }
    });

    [Fact]
    public Task A_refused_step_shows_what_has_become_of_the_order() => BrowseAsync(async browser =>
    {
        var purchase = await PayAsync($"overtaken-{Guid.NewGuid():N}");
        var page = await OpenAsync(browser);
        await ShowAsync(page, "orders");
        await Expect(page.Locator($"#advance-{purchase.OrderId}")).ToBeVisibleAsync();
        Assert.Equal(PaymentState.Refunded, await purchase.RefundedAsync(Price));

        await page.Locator($"#advance-{purchase.OrderId}").ClickAsync();
        await page.Locator("#confirm-yes").ClickAsync();

        await Expect(page.Locator("#notices p.bad")).ToHaveCountAsync(1);
        await Expect(page.Locator($"#order-{purchase.OrderId} .pill")).ToHaveTextAsync("refunded");
    });

    [Fact]
    public Task A_list_that_could_not_be_read_can_be_read_again() => BrowseAsync(async browser =>
    {
        var product = await Stack.ProductAsync(stock: 3);
        var page = await OpenAsync(browser);
        await RefuseAsync(page, "**/api/admin/products", _ => true, 503, "dependency-unavailable", "A service does not answer.");
        await page.EvaluateAsync("location.hash = 'products'");
        await Expect(page.Locator("#notices")).ToContainTextAsync("A service does not answer.");
        await page.UnrouteAllAsync();
        var again = page.GetByRole(AriaRole.Button, new() { Name = "Refresh" });

        await again.ClickAsync();

        await Expect(page.Locator($"#product-{product.Id}")).ToBeVisibleAsync();
        await Expect(again).ToBeHiddenAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Products" })).ToBeFocusedAsync();
    });

    [Fact]
    public Task The_live_sale_appears_when_the_shop_answers_again() => BrowseAsync(async browser =>
    {
        var sale = await Stack.EventAsync(3600);
        var page = await OpenAsync(browser);
        await RefuseAsync(page, "**/api/admin/*", _ => true, 503, "dependency-unavailable", "A service does not answer.");
        await page.EvaluateAsync("section => { location.hash = section; }", $"live/{sale.Id}");
        await Expect(page.Locator("#notices")).ToContainTextAsync("A service does not answer.");

        await page.UnrouteAllAsync();

        await Expect(page.Locator($"#sale-{sale.Id}")).ToBeVisibleAsync();
        await Expect(page.Locator("#stream")).ToHaveTextAsync("Live");
        await Expect(page.Locator("#notices p")).ToHaveCountAsync(0);
    });

    [Fact]
    public Task An_address_of_a_section_is_kept_while_signing_in_and_one_of_nothing_says_so() => BrowseAsync(async browser =>
    {
        var page = await browser.OpenAsync(new(Shop, "/admin/#products"));
        await Expect(page.Locator("main")).ToHaveTextAsync("Sign in as an administrator.");
        await Expect(page.Locator("#sections")).ToBeHiddenAsync();
        await page.Locator("#name").FillAsync("operator");
        await page.Locator("#sign-in-button").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Products" })).ToBeVisibleAsync();

        await page.EvaluateAsync("location.hash = 'live/999999999'");

        await Expect(page.Locator(".watched")).ToHaveTextAsync("This event does not exist.");
        await Expect(page.Locator("#stream")).ToBeHiddenAsync();
        await page.EvaluateAsync("location.hash = 'unknown'");
        await Expect(page.Locator("#sections a[aria-current]")).ToHaveTextAsync("Live sale");
    });

    [Fact]
    public async Task A_member_is_told_that_the_page_is_not_for_them()
    {
        await using var browser = chromium.Open();
        var page = await browser.ShopAsync(Shop, "curious-member");
        await page.GotoAsync(new Uri(Shop, "/admin").ToString());
        await Expect(page.Locator("#notices")).ToContainTextAsync("You are not allowed to do this.");
        Assert.Empty(browser.Complaints);
    }

    /// <summary>
    /// Finds visible Latin words. Rows of lists contain data of all tests, so only those of this selector are included.
    /// </summary>
    const string EnglishTexts = """
        own => [...document.querySelectorAll('title, body *')]
          .filter(e => e.tagName === 'TITLE' || e.checkVisibility() && !e.closest('noscript, #user') && (!e.closest('li') || e.closest(own)))
          .flatMap(e => [e.getAttribute('aria-label'), e.getAttribute('placeholder'), ...[...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data)])
          .filter(text => /[A-Za-z]{2,}/.test((text ?? '').replaceAll(/Commerce|MySQL|Redis|alice/g, '')))
        """;

    async Task BrowseAsync(Func<Browser, Task> story)
    {
        await using var browser = chromium.Open();
        await story(browser);
        Assert.Empty(browser.Complaints);
    }

    /// <summary>Opens the page with an operator signed in.</summary>
    async Task<IPage> OpenAsync(Browser browser, BrowserNewContextOptions? options = null)
    {
        var page = await browser.OpenAsync(new(Shop, "/admin"), options);
        await page.Locator("#name").FillAsync("operator");
        await page.Locator("#sign-in-button").ClickAsync();
        await Expect(page.Locator("#view-title")).ToBeVisibleAsync();
        return page;
    }

    static async Task GoAsync(IPage page, string section)
    {
        await page.Locator("#sections").GetByRole(AriaRole.Link, new() { Name = section, Exact = true }).ClickAsync();
        await Expect(page.Locator("#sections a[aria-current]")).ToHaveTextAsync(section);
    }

    /// <summary>Shows a section and waits for its content.</summary>
    static async Task ShowAsync(IPage page, string section)
    {
        await page.EvaluateAsync("section => { location.hash = section; }", section);
        await Expect(page.Locator($"#sections a[href='#{section.Split('/')[0]}']")).ToHaveAttributeAsync("aria-current", "page");
        await Expect(page.Locator("main li").First).ToBeVisibleAsync();
    }

    /// <summary>The Api refuses these requests.</summary>
    static async Task RefuseAsync(IPage page, string address, Predicate<IRoute> which, int status, string slug, string text) => await page.RouteAsync(address, route => !which(route)
        ? route.ContinueAsync()
        : route.FulfillAsync(new()
        {
            Status = status,
            ContentType = "application/problem+json",
            Body = $$"""{"type":"urn:commerce:{{slug}}","title":"{{text}}","status":{{status}}}""",
        }));

    static ILocator RowOf(IPage page, string name) => page.Locator("main li").Filter(new() { HasText = name });

    static async Task CreateAsync(IPage page, string name, params (string Label, string Value)[] fields)
    {
        await page.Locator("#new").ClickAsync();
        await FillAsync(page, fields);
        await Expect(RowOf(page, name)).ToBeVisibleAsync();
    }

    /// <summary>Fills the open form and saves it.</summary>
    static async Task FillAsync(IPage page, params (string Label, string Value)[] fields)
    {
        foreach (var (label, value) in fields) await page.Locator("#form").GetByLabel(label, new() { Exact = true }).FillAsync(value);
        await page.Locator("#form-save").ClickAsync();
        await Expect(page.Locator("#form")).ToBeHiddenAsync();
    }

    /// <summary>A time for a form, as browsers write it: without seconds if they are 0.</summary>
    static string At(TimeSpan fromNow)
    {
        var time = TimeProvider.System.GetLocalNow().Add(fromNow);
        return time.ToString(time.Second == 0 ? "yyyy-MM-ddTHH:mm" : "yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture);
    }

    async Task<(long Coupon, long Product)> FindAsync(long eventId)
    {
        var sale = await Stack.FindEventAsync(eventId);
        Stack.CreatedCoupons.Add(sale.CouponIds[0]);
        return (sale.CouponIds[0], sale.ProductIds[0]);
    }

    static async Task ShouldBeAccessibleAsync(IPage page)
    {
        var result = await page.RunAxe();
        Assert.Empty(result.Violations.SelectMany(v => v.Nodes.Select(n => $"{v.Id}: {v.Help}: {n.Html} {Describe(n)}")));
        Assert.NotEmpty(result.Passes);
    }

    static string Describe(AxeResultNode node) => string.Join("; ", node.Any.Concat(node.All).Select(c => c.Message));

    /// <summary>Presses Tab until the element has the focus.</summary>
    static async Task TabAsync(IPage page, ILocator target)
    {
        for (var i = 0; i < 200 && !await target.EvaluateAsync<bool>("e => e === document.activeElement"); i++) await page.Keyboard.PressAsync("Tab");
        await Expect(target).ToBeFocusedAsync();
    }
}
