using System.Reflection;
using Commerce.Core.Payments;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using NJsonSchema.CodeGeneration.CSharp;
using NSwag;
using NSwag.CodeGeneration.CSharp;
using NSwag.CodeGeneration.OperationNameGenerators;

namespace Commerce.Tests.Integration;

/// <summary>A client that is generated from <c>/openapi/v1.json</c> can buy something.</summary>
public sealed class GeneratedClientTests(CommerceStack stack) : PaymentStackTests(stack)
{
    /// <summary>The program is compiled with the generated client, so the compiler checks names and types of the contract.</summary>
    const string Buyer = """
        using System;
        using System.Linq;
        using System.Net.Http;
        using System.Threading.Tasks;

        namespace Generated;

        public static class Buyer
        {
            public static async Task<string> BuyAsync(HttpClient http, long productId, Func<string, long, Task<string>> authorize)
            {
                var shop = new ShopClient(http);
                ProductSummary product = await shop.GetProductAsync(productId);
                if (product.MaxPerCustomer is not 2) throw new InvalidOperationException("The limit is missing.");
                var order = new OrderRequest
                {
                    Items = [new OrderLine { ProductId = product.Id, Quantity = 2 }],
                    Shipping = new ShippingRequest { Recipient = "Hong", Phone = "010-1234-5678", Zipcode = "04524", Address1 = "Seoul", Address2 = null },
                    CouponId = null,
                };
                PlacedOrder placed = await shop.PlaceOrderAsync(idempotency_Key: NewKey(), waiting_Room_Pass: null, body: order);
                long total = placed.TotalAmount;
                PreparedPayment prepared = await shop.PreparePaymentAsync(NewKey(), new PrepareRequest { OrderId = placed.OrderId, Amount = total });
                string authorised = await authorize(prepared.OrderId, total);
                ApprovedPayment approved = await shop.ApprovePaymentAsync(NewKey(), new ApproveRequest { OrderId = placed.OrderId, PgPaymentId = authorised });
                OrderPage page = await shop.ListOrdersAsync(null, 1);
                string seen = page.Items.Single().OrderId == placed.OrderId ? "seen" : "not seen";
                try
                {
                    await shop.PlaceOrderAsync(idempotency_Key: NewKey(), waiting_Room_Pass: null, body: order);
                    return "no refusal";
                }
                catch (ApiException<ProblemDetails> refusal) when (refusal.StatusCode == 409)
                {
                    return $"{approved.Status}, {seen}, {refusal.Result.Type} {refusal.Result.Status}";
                }
            }

            static string NewKey() => Guid.NewGuid().ToString();
        }
        """;

    /// <summary>What an administrator does before and after a sale.</summary>
    const string Operator = """
        using System;
        using System.Linq;
        using System.Net.Http;
        using System.Threading.Tasks;

        namespace Generated;

        public static class Operator
        {
            public static async Task<(long Coupon, long Sale, string Told)> RunAsync(HttpClient http, long productId, string orderId)
            {
                var shop = new ShopClient(http);
                var now = DateTimeOffset.UtcNow;
                Coupon coupon = await shop.CreateCouponAsync(new CouponDefinition
                {
                    Name = "Generated", Discount = 5_000, TotalQuantity = 3, StartsAt = now.AddHours(-1), EndsAt = now.AddHours(1), Percent = 10, MinOrderAmount = 20_000,
                    ValidFrom = null, ValidUntil = now.AddDays(1), ProductIds = [productId], EventIds = null,
                });
                SaleEvent sale = await shop.CreateEventAsync(new EventDefinition
                {
                    Name = "Generated", OpensAt = null, ClosesAt = null, CouponIds = [coupon.Id], ProductIds = [productId], WaitingRoomRate = 5, MaxPerCustomer = 2,
                });
                int? percent = coupon.Percent, limit = sale.MaxPerCustomer, rate = sale.WaitingRoomRate;
                long? minimum = coupon.MinOrderAmount;
                RefundedPayment refunded = await shop.RefundOrderForCustomerAsync(id: orderId, idempotency_Key: Guid.NewGuid().ToString(), body: new RefundRequest
                {
                    Reason = "one of two", Lines = [new RefundLine { ProductId = productId, Quantity = 1, Restock = true }],
                });
                AnyOrder order = await shop.GetAnyOrderAsync(orderId);
                OrderLineDetail line = order.Order.Items.Single();
                return (coupon.Id, sale.Id,
                    $"{percent} % from {minimum}, limit {limit}, rate {rate}; {refunded.Status} {refunded.Amount}, {line.RefundedQuantity} of {line.Quantity}, rest {order.Order.Refundable}");
            }
        }
        """;

    [Fact]
    public async Task A_generated_client_buys_and_understands_a_refusal()
    {
        var product = await Stack.ProductAsync(stock: 10, Price, maxPerCustomer: 2);
        using var user = await Stack.UserAsync("generated");
        var client = Compile(await GenerateAsync(await Stack.Anonymous.GetStringAsync("/openapi/v1.json", Cancelled)), Buyer);

        var told = await (Task<string>)client.GetType("Generated.Buyer")!.GetMethod("BuyAsync")!.Invoke(
            null, [user, product.Id, (string orderId, long amount) => Stack.Sandbox.PayAsync(orderId, amount)])!;

        Assert.Equal($"{PaymentState.Paid}, seen, urn:commerce:customer-limit 409", told);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_generated_client_plans_a_sale_and_refunds_units_of_a_line()
    {
        var product = await Stack.ProductAsync(stock: 10, Price);
        var user = (await Stack.UsersAsync($"generated-{product.Id}", 1))[0];
        var purchase = new Purchase(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id, quantity: 2));
        using (await purchase.PrepareAsync()) { }
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        await Eventually.EqualAsync(8, () => StockAsync(purchase));
        var client = Compile(await GenerateAsync(await Stack.Anonymous.GetStringAsync("/openapi/v1.json", Cancelled)), Operator);

        var (coupon, sale, told) = await (Task<(long, long, string)>)client.GetType("Generated.Operator")!.GetMethod("RunAsync")!.Invoke(
            null, [Stack.Admin, product.Id, purchase.OrderId])!;

        Stack.CreatedCoupons.Add(coupon);
        Stack.CreatedEvents.Add(sale);
        Assert.Equal($"10 % from 20000, limit 2, rate 5; {PaymentState.PartiallyRefunded} {Price}, 1 of 2, rest {Price}", told);
        Assert.Equal(9, await StockAsync(purchase));
        await CheckConsistencyAsync();
    }

    static async Task<string> GenerateAsync(string contract) => new CSharpClientGenerator(
        await OpenApiDocument.FromJsonAsync(contract),
        new()
        {
            ClassName = "ShopClient",
            UseBaseUrl = false,
            InjectHttpClient = true,
            GenerateOptionalParameters = true,
            OperationNameGenerator = new SingleClientFromOperationIdOperationNameGenerator(),
            CSharpGeneratorSettings = { Namespace = "Generated", JsonLibrary = CSharpJsonLibrary.SystemTextJson, GenerateNullableReferenceTypes = true },
        }).GenerateFile();

    static Assembly Compile(params IEnumerable<string> sources)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create(
            "GeneratedClient", sources.Select(source => CSharpSyntaxTree.ParseText(source)), references, new(OutputKind.DynamicallyLinkedLibrary));
        using var assembly = new MemoryStream();
        var result = compilation.Emit(assembly);
        Assert.True(result.Success, string.Join(Environment.NewLine, result.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error)));
        return Assembly.Load(assembly.ToArray());
    }
}
