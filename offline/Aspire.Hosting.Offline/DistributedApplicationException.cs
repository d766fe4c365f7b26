namespace Aspire.Hosting;

/// <summary>The application's model is wrong, or a part of it does not run.</summary>
public class DistributedApplicationException : Exception
{
    public DistributedApplicationException()
    {
    }

    public DistributedApplicationException(string message) : base(message)
    {
    }

    public DistributedApplicationException(string message, Exception inner) : base(message, inner)
    {
    }
}

/// <summary>A parameter or connection string has no value.</summary>
public class MissingParameterValueException(string message) : DistributedApplicationException(message);
