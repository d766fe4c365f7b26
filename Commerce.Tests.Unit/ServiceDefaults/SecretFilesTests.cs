using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class SecretFilesTests
{
    [Fact]
    public async Task A_file_in_the_folder_of_secrets_is_a_key_and_has_the_last_word()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "ConnectionStrings__commerce"), "Server=ledger\n", TestContext.Current.CancellationToken);
            await using var api = await TestApi.StartAsync(settings: new()
            {
                ["Secrets:Directory"] = folder.FullName, ["ConnectionStrings:commerce"] = "Server=elsewhere",
            });

            Assert.Equal("Server=ledger", api.App.Services.GetRequiredService<IConfiguration>().GetConnectionString("commerce"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public Task A_folder_of_secrets_that_is_not_there_is_not_overlooked() =>
        Assert.ThrowsAsync<DirectoryNotFoundException>(() => TestApi.StartAsync(settings: new() { ["Secrets:Directory"] = "/nowhere" }));
}
