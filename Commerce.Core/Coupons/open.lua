-- Opens a closed gate. A second call changes nothing, so the stock is loaded exactly once. A call that comes after a newer epoch
-- closed the gate changes nothing either. The same holds if the stock was counted for other users than the gate remembers.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 epoch   2 version   3 stock   4 total   5 opens (ms)   6 closes (ms)   7 state   8 server   9 number of remembered users
-- Returns 1 opened, 0 not.
local gate = redis.call('HMGET', KEYS[1], 'epoch', 'fence')
if gate[1] or (gate[2] and tonumber(gate[2]) > tonumber(ARGV[1])) or redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[9]) then return 0 end
redis.call('HDEL', KEYS[1], 'fence')
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'version', ARGV[2], 'stock', ARGV[3], 'total', ARGV[4],
  'opens', ARGV[5], 'closes', ARGV[6], 'state', ARGV[7], 'server', ARGV[8])
return 1
