using Commerce.Core.Messaging;

namespace Commerce.Tests.Unit.Messaging;

public sealed class TopicOptionsTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 2, 1)]
    [InlineData(3, 3, 2)]
    [InlineData(7, 3, 2)]
    public void A_topic_lies_on_three_brokers_two_of_which_must_have_a_message(int brokers, short replicas, int insync)
    {
        var options = new TopicOptions();
        Assert.Equal(replicas, options.ReplicasOn(brokers));
        Assert.Equal(insync, options.InsyncOf(replicas));
    }

    [Fact]
    public void What_is_configured_wins()
    {
        var options = new TopicOptions { ReplicationFactor = 2, MinInsyncReplicas = 2 };
        Assert.Equal(2, options.ReplicasOn(5));
        Assert.Equal(2, options.InsyncOf(2));
    }
}
