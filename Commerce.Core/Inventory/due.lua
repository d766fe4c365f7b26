-- Returns expired holds and moves their deadline, so that no other caller gets them for a while.
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers
-- ARGV  1 limit   2 ms until they are due again
-- Returns the orders.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, order in ipairs(due) do redis.call('ZADD', KEYS[3], now + ARGV[2], order) end
return due
