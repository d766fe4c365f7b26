namespace Commerce.Core.Orders;

/// <summary>An order as the ledger has it.</summary>
/// <param name="Status">One of <see cref="OrderState"/>.</param>
/// <param name="TotalAmount">Whole KRW, what is to be paid.</param>
/// <param name="Discount">Whole KRW, taken off already.</param>
/// <param name="CouponId">The coupon that it was ordered with.</param>
/// <param name="HoldExpiresAt">Until then it can be paid.</param>
public sealed record Order(
    string Id, string UserId, string Status, long TotalAmount, long Discount, long? CouponId, DateTime HoldExpiresAt, DateTime CreatedAt, DateTime? PaidAt)
{
    /// <summary>The columns of an order in the order and under the names of this record.</summary>
    public const string Columns = """
        id AS Id, user_id AS UserId, status AS Status, total_amount AS TotalAmount, discount AS Discount, coupon_id AS CouponId,
        hold_expires_at AS HoldExpiresAt, created_at AS CreatedAt, paid_at AS PaidAt
        """;
}

/// <summary>A line of an order.</summary>
/// <param name="Price">Whole KRW for one piece, when it was ordered.</param>
public sealed record OrderItem(long ProductId, int Quantity, long Price)
{
    /// <summary>The columns of a line under the names of this record.</summary>
    public const string Columns = "product_id AS ProductId, quantity AS Quantity, price AS Price";
}

/// <summary>Where an order goes.</summary>
public sealed record Shipping(string Recipient, string Phone, string Zipcode, string Address1, string Address2);
