-- Loads a product into a gate that was opened without it. A second call changes nothing.
-- KEYS  1 gate   2 available   3 holds   4 lines
-- ARGV  1 the epoch that the database had when the stock was read   2 product   3 stock
-- Returns 1 loaded, 0 already loaded, -1 gate closed, or rebuilt since
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return -1 end
return redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
