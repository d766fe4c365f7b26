-- Extends a hold.
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers
-- ARGV  1 the run id of the server that the caller expects   2 order   3 ms from now
-- Returns 1 done   0 the hold does not exist   -1 gate closed
if redis.call('HGET', KEYS[1], 'server') ~= ARGV[1] then return -1 end
if redis.call('HEXISTS', KEYS[4], ARGV[2]) == 0 then return 0 end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[2])
return 1
