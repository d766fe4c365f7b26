using Microsoft.Playwright;

namespace Commerce.Tests.Page;

/// <summary>
/// Headless Chromium, installed by <c>hosting/install/chromium.sh</c>. It is started once, because a start takes longer than most
/// tests.
/// </summary>
public sealed class Chromium : IAsyncLifetime
{
    IPlaywright _playwright = null!;
    IBrowser _chromium = null!;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } named ? named : Path.Combine(Environment.GetEnvironmentVariable("HOME")!, ".cache");
        var program = Path.Combine(cache, "commerce", "chromium", "browser");
        Assert.True(File.Exists(program), $"There is no {program}: hosting/install/chromium.sh makes it, and ./commerce test runs that.");
        Assertions.SetDefaultExpectTimeout(60_000);
        _playwright = await Playwright.CreateAsync();
        _chromium = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = program,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _chromium.DisposeAsync();
        _playwright.Dispose();
    }

    internal Browser Open() => new(_chromium);
}

/// <summary>A test's browser contexts, one per user and isolated from each other.</summary>
sealed class Browser(IBrowser chromium) : IAsyncDisposable
{
    readonly List<IBrowserContext> _contexts = [];
    readonly List<string> _complaints = [];

    /// <summary>Console errors of the pages, including violations of the content security policy.</summary>
    public IReadOnlyList<string> Complaints => _complaints;

    /// <summary>Opens the shop in a new context, with its user signed in.</summary>
    public async Task<IPage> ShopAsync(Uri shop, string user, BrowserNewContextOptions? options = null)
    {
        var page = await OpenAsync(shop, options);
        await page.GetByLabel("Name", new() { Exact = true }).FillAsync(user);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Assertions.Expect(page.Locator("#stream")).ToHaveTextAsync("Live");
        return page;
    }

    /// <summary>Opens the shop in a new context.</summary>
    public async Task<IPage> OpenAsync(Uri shop, BrowserNewContextOptions? options = null)
    {
        var context = await chromium.NewContextAsync(options);
        _contexts.Add(context);
        context.SetDefaultTimeout(60_000);
        var page = await context.NewPageAsync();
        page.Console += (_, message) =>
        {
            // Refused requests also appear there. The page shows them to its user.
            if (message.Type == "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal)) _complaints.Add(message.Text);
        };
        page.PageError += (_, error) => _complaints.Add(error);
        await page.GotoAsync(shop.ToString());
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var context in _contexts) await context.CloseAsync();
    }
}
