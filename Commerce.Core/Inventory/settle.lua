-- Ends holds. A released hold returns its stock, and its units no longer count for the customer. A confirmed hold does neither,
-- because its stock was deducted. A missing hold changes nothing, so repeated calls are safe.
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers
-- ARGV  1 'release' or 'confirm'   2.. orders
-- Returns the number of ended holds.
local count = 0
for i = 2, #ARGV do
  local lines = redis.call('HGET', KEYS[4], ARGV[i])
  if lines then
    if ARGV[1] == 'release' then
      local customer = string.match(lines, '@(.*)$')
      for product, quantity in string.gmatch(lines, '(%d+) (%d+)') do
        redis.call('HINCRBY', KEYS[2], product, quantity)
        if customer and redis.call('SISMEMBER', KEYS[5], product) == 1 then
          local field = product .. ' ' .. customer
          if redis.call('HINCRBY', KEYS[6], field, -quantity) <= 0 then redis.call('HDEL', KEYS[6], field) end
        end
      end
    end
    redis.call('HDEL', KEYS[4], ARGV[i])
    count = count + 1
  end
  redis.call('ZREM', KEYS[3], ARGV[i])
end
return count
