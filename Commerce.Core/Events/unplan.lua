-- Removes a transition from the schedule unless a newer version scheduled it again.
-- KEYS  1 schedule   2 pending   3 the transition's timer
-- ARGV  1 name   2 version
-- Returns 1 removed, 0 missing or newer.
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known and tonumber(known) > tonumber(ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
return redis.call('ZREM', KEYS[1], ARGV[1])
