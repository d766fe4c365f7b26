-- Changes the available stock of a product.
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers
-- ARGV  1 the epoch in the database   2 product   3 delta, may be negative
-- Returns 1 done   0 not enough available   2 the product is not loaded   -1 gate closed, or rebuilt since
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return -1 end
local available = redis.call('HGET', KEYS[2], ARGV[2])
if not available then return 2 end
if available + ARGV[3] < 0 then return 0 end
redis.call('HINCRBY', KEYS[2], ARGV[2], ARGV[3])
return 1
