-- Loads a product that the open gate does not know. A second call changes nothing.
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers
-- ARGV  1 the epoch that the database had when the stock was read   2 product   3 stock   4 1 if its customers are counted, otherwise 0
-- Returns 1 loaded, 0 already loaded, -1 gate closed, or rebuilt since
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return -1 end
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3]) == 0 then return 0 end
if ARGV[4] == '1' then redis.call('SADD', KEYS[5], ARGV[2]) end
return 1
