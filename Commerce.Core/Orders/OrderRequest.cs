using System.Text.RegularExpressions;
using Commerce.Core.Inventory;

namespace Commerce.Core.Orders;

/// <summary>A request to place an order.</summary>
/// <param name="Items">At least one line. Lines of the same product are added up.</param>
/// <param name="CouponId">A coupon that the user has and has not used, or null.</param>
public sealed partial record OrderRequest(IReadOnlyList<OrderLine> Items, ShippingRequest Shipping, long? CouponId = null)
{
    const int MaxPhoneLength = 20;

    /// <summary>The errors by field; empty if the request is valid. The maximum lengths are those of the columns.</summary>
    public Dictionary<string, string[]> Validate(OrderOptions options)
    {
        var errors = new Dictionary<string, string[]>();
        if (Items.Count == 0) errors["items"] = ["Must have at least one item."];
        else if (Items.Any(i => i.Quantity < 1)) errors["items"] = ["Each quantity must be at least 1."];
        else if (Items.Count > options.MaxLines) errors["items"] = [$"Must have at most {options.MaxLines} lines."];
        else if (Lines().Any(l => l.Quantity > options.MaxQuantityPerProduct || l.Quantity < 1)) errors["items"] = [$"Must have at most {options.MaxQuantityPerProduct} of one product."];
        DisplayText.Check(errors, "shipping.recipient", Shipping.Recipient, 100);
        DisplayText.Check(errors, "shipping.address1", Shipping.Address1, 200);
        DisplayText.CheckOptional(errors, "shipping.address2", Shipping.Address2, 200);
        if (Shipping.Phone.Length > MaxPhoneLength || !Phone().IsMatch(Shipping.Phone))
            errors["shipping.phone"] = [$"Must have 9 to 15 digits, optionally with hyphens and a + before the country code; at most {MaxPhoneLength} characters."];
        if (!Zipcode().IsMatch(Shipping.Zipcode)) errors["shipping.zipcode"] = ["Must have 5 digits."];
        return errors;
    }

    /// <summary>Returns one line per product, ordered by id. A sum beyond the range of int becomes negative.</summary>
    public IReadOnlyList<OrderLine> Lines() =>
        [.. Items.GroupBy(i => i.ProductId).OrderBy(p => p.Key)
            .Select(p => new OrderLine(p.Key, p.Sum(i => (long)i.Quantity) is <= int.MaxValue and var sum ? (int)sum : -1))];

    // \z instead of $, which would allow a trailing line break.
    [GeneratedRegex(@"^\+?(?:-?[0-9]){9,15}\z")]
    private static partial Regex Phone();

    [GeneratedRegex(@"^[0-9]{5}\z")]
    private static partial Regex Zipcode();
}

/// <summary>A shipping address.</summary>
/// <param name="Recipient">1 to 100 characters.</param>
/// <param name="Phone">9 to 15 digits and hyphens, at most 20 characters in total.</param>
/// <param name="Zipcode">5 digits.</param>
/// <param name="Address1">1 to 200 characters.</param>
/// <param name="Address2">At most 200 characters, or null.</param>
public sealed record ShippingRequest(string Recipient, string Phone, string Zipcode, string Address1, string? Address2);
