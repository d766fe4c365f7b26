using System.Data;
using System.Diagnostics;
using MySql.Data.MySqlClient;

namespace Aspire.MySqlConnector;

/// <summary>
/// One session on the server. The driver of MySql.Data neither ends an asynchronous call when its time is over nor looks at the
/// cancellation token of a call under way; <see cref="Within{T}"/> does. A session whose call was left behind is never used again.
/// </summary>
internal sealed class Session(MySqlConnection driver, SessionKiller killer)
{
    private Task _leftBehind = Task.CompletedTask;
    private long _lastUsed;
    private bool _broken;

    public MySqlConnection Driver => driver;

    public bool IsUsable => !_broken && driver.State == ConnectionState.Open;

    public TimeSpan IdleTime => Stopwatch.GetElapsedTime(_lastUsed);

    public void MarkUsed() => _lastUsed = Stopwatch.GetTimestamp();

    public void MarkBroken() => _broken = true;

    public Task OpenAsync(TimeSpan limit, CancellationToken token)
    {
        return Within(Open(), limit, token, MySqlFaultException.UnableToConnect);

        async Task<bool> Open()
        {
            await driver.OpenAsync(CancellationToken.None);
            return true;
        }
    }

    public async Task<bool> AnswersAsync(TimeSpan limit, CancellationToken token)
    {
        try
        {
            return await Within(driver.PingAsync(), limit, token);
        }
        catch (Exception e) when (e is MySqlException or MySqlFaultException)
        {
            return false;
        }
    }

    /// <summary>Waits for a call of the driver, until <paramref name="limit"/> is over or <paramref name="token"/> says so.</summary>
    /// <exception cref="MySqlFaultException">It took too long (number <paramref name="lateNumber"/>) or the connection broke (0).</exception>
    /// <exception cref="MySqlException">The server refuses.</exception>
    public async Task<T> Within<T>(
        Task<T> call, TimeSpan limit, CancellationToken token, int lateNumber = MySqlFaultException.CommandTimeoutExpired)
    {
        try
        {
            return await call.WaitAsync(limit, token);
        }
        catch (TimeoutException e)
        {
            LeaveBehind(call);
            throw new MySqlFaultException(lateNumber, $"MySQL did not answer within {limit.TotalSeconds:0.###} s.", e);
        }
        catch (OperationCanceledException)
        {
            LeaveBehind(call);
            throw;
        }
        catch (MySqlException e) when (e.Number is >= 1000 and < 2000 or >= 3000)
        {
            throw; // said by the server: both sides are still in step
        }
        catch (Exception e) when (driver.State != ConnectionState.Open || e is IOException or NullReferenceException || lateNumber == MySqlFaultException.UnableToConnect)
        {
            _broken = true; // the driver's ways to say that the connection is gone, or, while it connects, that its time is up
            throw new MySqlFaultException(MySqlFaultException.ConnectionLost, "The connection to MySQL was lost.", e);
        }
        catch
        {
            _broken = true;
            throw;
        }
    }

    /// <summary>Ends the session, in the background: a frozen server keeps nobody waiting.</summary>
    public async Task DiscardAsync()
    {
        try
        {
            await _leftBehind; // the driver is not to be touched before
        }
        catch (Exception)
        {
            // Its caller has had an answer already.
        }

        try
        {
            await driver.DisposeAsync();
        }
        catch (Exception)
        {
            // Saying goodbye over a broken connection.
        }
    }

    private void LeaveBehind(Task call)
    {
        _broken = true;
        _leftBehind = call;
        if (driver.State == ConnectionState.Open)
            killer.Kill(driver.ServerThread);
    }
}
