-- Applies a refund: it returns units to the stock, ends the order's hold if it was not confirmed yet, and no longer counts the
-- refunded units for the customer.
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers
-- ARGV  1 the epoch that the database had in the refund's transaction   2 order   3 customer
--         4.. product, returned units, refunded units, product ...
-- Returns 1 returned, 0 the gate was rebuilt since and already includes it.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[4], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
for i = 4, #ARGV, 3 do
  redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1])
  if redis.call('SISMEMBER', KEYS[5], ARGV[i]) == 1 then
    local field = ARGV[i] .. ' ' .. ARGV[3]
    if redis.call('HINCRBY', KEYS[6], field, -ARGV[i + 2]) <= 0 then redis.call('HDEL', KEYS[6], field) end
  end
end
return 1
