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

    static async Task<string> GenerateAsync(string contract) => new CSharpClientGenerator(
        await OpenApiDocument.FromJsonAsync(contract),
        new()
        {
            ClassName = "ShopClient",
            UseBaseUrl = false,
            InjectHttpClient = true,
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
