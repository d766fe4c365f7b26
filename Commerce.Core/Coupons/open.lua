-- Opens a closed gate. Whoever comes second changes nothing, so stock is loaded exactly once.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 epoch   2 version   3 stock   4 total   5 opens (ms)   6 closes (ms)   7 state   8 server
-- Returns 1 opened, 0 it was open already.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'version', ARGV[2], 'stock', ARGV[3], 'total', ARGV[4],
  'opens', ARGV[5], 'closes', ARGV[6], 'state', ARGV[7], 'server', ARGV[8])
return 1
