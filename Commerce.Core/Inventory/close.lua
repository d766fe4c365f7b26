-- Closes a gate of an older epoch or of another server (a stale copy).
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers
-- ARGV  1 epoch   2 server
-- Returns 1 closed, 0 already closed, current or newer.
local gate = redis.call('HMGET', KEYS[1], 'epoch', 'server')
if not gate[1] or (gate[2] == ARGV[2] and tonumber(gate[1]) >= tonumber(ARGV[1])) then return 0 end
redis.call('DEL', KEYS[1])
return 1
