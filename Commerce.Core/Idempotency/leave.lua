-- Notes that a request has ended and has committed nothing.
-- KEYS  1 the requests under way with the same key
-- ARGV  1 this request
-- Returns how many others there are, those included that have committed something.
redis.call('ZREM', KEYS[1], ARGV[1])
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
return redis.call('ZCARD', KEYS[1])
