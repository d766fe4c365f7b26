-- Records that a request has ended without a commit.
-- KEYS  1 the requests in progress with the same key
-- ARGV  1 this request
-- Returns the number of other requests, including those that have committed.
redis.call('ZREM', KEYS[1], ARGV[1])
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
return redis.call('ZCARD', KEYS[1])
