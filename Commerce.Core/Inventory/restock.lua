-- After a refund: returns the order's stock, and ends its hold if it was not confirmed yet.
-- KEYS  1 gate   2 available   3 holds   4 lines
-- ARGV  1 the epoch that the database had in the refund's transaction   2 order   3.. product, quantity, product, quantity ...
-- Returns 1 returned, 0 the gate was rebuilt since and already includes it.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[4], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
for i = 3, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
return 1
