using System.Diagnostics;
using System.Threading.Channels;
using MySql.Data.MySqlClient;

namespace Aspire.MySqlConnector;

/// <summary>
/// Ends sessions on the server whose caller no longer waits, so that their statement stops and their locks are free. It is a
/// courtesy: one connection at a time, no repetition, and nothing is killed late, when the id may belong to another session.
/// </summary>
internal sealed class SessionKiller : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private readonly Channel<(int Session, long Asked)> _requests = Channel.CreateBounded<(int, long)>(
        new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    public SessionKiller(string connectionString) => _ = RunAsync(connectionString);

    public void Kill(int session) => _requests.Writer.TryWrite((session, Stopwatch.GetTimestamp()));

    public void Dispose() => _requests.Writer.TryComplete();

    private async Task RunAsync(string connectionString)
    {
        await foreach (var (session, asked) in _requests.Reader.ReadAllAsync())
            if (Stopwatch.GetElapsedTime(asked) < Limit)
                await KillAsync(connectionString, session);
    }

    private static async Task KillAsync(string connectionString, int session)
    {
        var connection = new MySqlConnection(connectionString);
        var work = Work();
        try
        {
            await work.WaitAsync(Limit);
        }
        catch (Exception)
        {
            // The server is frozen or gone, or the session has ended by itself.
        }

        async Task Work()
        {
            await using (connection)
            {
                await connection.OpenAsync();
                await using var command = new MySqlCommand($"kill {session}", connection);
                await command.ExecuteNonQueryAsync();
            }
        }
    }
}
