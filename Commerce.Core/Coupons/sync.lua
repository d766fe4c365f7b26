-- Updates an open gate to a newer version of its coupon: window, state, and the difference of the total quantity as stock. Repeated
-- calls are safe. An ended coupon may be extended, so the expiry of its keys is removed.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 version   2 total   3 opens (ms)   4 closes (ms)   5 state
-- Returns 1 changed, 0 not open or not older.
local gate = redis.call('HMGET', KEYS[1], 'version', 'total')
if not gate[1] or tonumber(gate[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('HINCRBY', KEYS[1], 'stock', ARGV[2] - gate[2])
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'total', ARGV[2], 'opens', ARGV[3], 'closes', ARGV[4], 'state', ARGV[5])
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[2])
return 1
