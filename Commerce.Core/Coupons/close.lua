-- Closes a gate that was opened under an older epoch or by another server (a stale copy). Pending entries stay: they are still owed.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 epoch   2 server
-- Returns 1 closed, 0 it was closed, is the right one, or a newer one.
local gate = redis.call('HMGET', KEYS[1], 'epoch', 'server')
if not gate[1] or (gate[2] == ARGV[2] and tonumber(gate[1]) >= tonumber(ARGV[1])) then return 0 end
redis.call('DEL', KEYS[1])
return 1
