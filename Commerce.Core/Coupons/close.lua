-- Closes a gate that has an older epoch or belongs to another server (a stale copy), and prevents its opening under an older epoch.
-- Pending entries stay, because their rows are not saved yet.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 epoch   2 server
-- Returns 1 closed for this epoch, 0 open under this epoch or a newer one, or reserved for a newer one.
local gate = redis.call('HMGET', KEYS[1], 'epoch', 'server', 'fence')
if gate[1] and gate[2] == ARGV[2] and tonumber(gate[1]) >= tonumber(ARGV[1]) then return 0 end
if gate[3] and tonumber(gate[3]) > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'fence', ARGV[1])
return 1
