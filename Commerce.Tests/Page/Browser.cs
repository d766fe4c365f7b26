using Microsoft.Playwright;

namespace Commerce.Tests.Page;

/// <summary>Chromium without a window, as <c>offline/install/chromium.sh</c> has put it into the cache.</summary>
sealed class Browser : IAsyncDisposable
{
    readonly IPlaywright _playwright;
    readonly IBrowser _browser;
    readonly List<string> _complaints = [];

    Browser(IPlaywright playwright, IBrowser browser) => (_playwright, _browser) = (playwright, browser);

    /// <summary>What pages have written to the console as errors, breaches of the content security policy among them.</summary>
    public IReadOnlyList<string> Complaints => _complaints;

    public static async Task<Browser> StartAsync()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } named ? named : Path.Combine(Environment.GetEnvironmentVariable("HOME")!, ".cache");
        var program = Path.Combine(cache, "commerce", "chromium", "browser");
        Assert.True(File.Exists(program), $"There is no {program}: offline/install/chromium.sh makes it, and ./commerce test runs that.");
        Assertions.SetDefaultExpectTimeout(60_000);
        var playwright = await Playwright.CreateAsync();
        var browser = await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = program,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
        return new(playwright, browser);
    }

    /// <summary>Somebody's own browser, with the shop open and its user signed in.</summary>
    public async Task<IPage> ShopAsync(Uri shop, string user, BrowserNewContextOptions? options = null)
    {
        var page = await OpenAsync(shop, options);
        await page.GetByLabel("Name", new() { Exact = true }).FillAsync(user);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Assertions.Expect(page.Locator("#stream")).ToHaveTextAsync("Live");
        return page;
    }

    /// <summary>Somebody's own browser, with the shop open.</summary>
    public async Task<IPage> OpenAsync(Uri shop, BrowserNewContextOptions? options = null)
    {
        var context = await _browser.NewContextAsync(options);
        context.SetDefaultTimeout(60_000);
        var page = await context.NewPageAsync();
        page.Console += (_, message) =>
        {
            // That a request was refused is written there too; the page tells that to its user.
            if (message.Type == "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal)) _complaints.Add(message.Text);
        };
        page.PageError += (_, error) => _complaints.Add(error);
        await page.GotoAsync(shop.ToString());
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }
}
