using System.Globalization;
using System.Text.Encodings.Web;

namespace Commerce.PaymentSandbox.PayWindow;

/// <summary>The page of the payment window: one form, no script.</summary>
static class PayPage
{
    public static string Render(PayOrder order)
    {
        var amount = "₩" + order.TotalPayAmount.ToString("N0", CultureInfo.InvariantCulture);
        return $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width, initial-scale=1">
              <title>Pay {amount}</title>
              <link rel="stylesheet" href="/pay.css">
            </head>
            <body>
              <main>
                <p class="sandbox">Sandbox: no money moves</p>
                <h1>{amount}</h1>
                <dl>
                  <dt>For</dt><dd>{Encode(order.ProductName)}</dd>
                  <dt>Order</dt><dd>{Encode(order.MerchantPayKey)}</dd>
                  <dt>User</dt><dd>{Encode(order.MerchantUserKey)}</dd>
                </dl>
                <form method="post" action="/pay">
                  <input type="hidden" name="merchantPayKey" value="{Encode(order.MerchantPayKey)}">
                  <input type="hidden" name="totalPayAmount" value="{order.TotalPayAmount.ToString(CultureInfo.InvariantCulture)}">
                  <input type="hidden" name="merchantUserKey" value="{Encode(order.MerchantUserKey)}">
                  <input type="hidden" name="productName" value="{Encode(order.ProductName)}">
                  <input type="hidden" name="returnUrl" value="{Encode(order.ReturnUrl)}">
                  <button name="action" value="pay" autofocus>Pay {amount}</button>
                  <button name="action" value="cancel" class="cancel">Cancel</button>
                </form>
              </main>
            </body>
            </html>
            """;
    }

    static string Encode(string? text) => HtmlEncoder.Default.Encode(text ?? "");
}
