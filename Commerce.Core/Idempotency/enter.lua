-- Records that a request is in progress.
-- KEYS  1 the requests in progress with the same key
-- ARGV  1 this request   2 ms until it expires
-- Returns nothing.
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1]) - 1
