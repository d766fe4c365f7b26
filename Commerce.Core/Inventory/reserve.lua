-- Reserves all lines of an order, or none, and stores them as a hold. The units of a product that counts its customers are added to
-- the customer's count. Repeated calls for the same order are safe.
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers
-- ARGV  1 the run id of the server that the caller expects   2 order   3 duration of the hold in ms   4 customer
--         5.. product, quantity, limit ...   A limit of 0 counts without refusing, and -1 does not count.
-- Returns {0, epoch} held   {1, product} not enough stock   {2, product} not loaded   {3, product, the customer's count} above the limit
--         {-1} gate closed, or the product began to count its customers after the caller had read it
local gate = redis.call('HMGET', KEYS[1], 'epoch', 'server')
if not gate[1] or gate[2] ~= ARGV[1] then return {-1} end
if redis.call('HEXISTS', KEYS[4], ARGV[2]) == 1 then return {0, tonumber(gate[1])} end

local products, lines = {}, {}
for i = 5, #ARGV, 3 do
  products[#products + 1] = ARGV[i]
  lines[#lines + 1] = ARGV[i] .. ' ' .. ARGV[i + 1]
end
local available = redis.call('HMGET', KEYS[2], unpack(products))
local counted = redis.call('SMISMEMBER', KEYS[5], unpack(products))
for i, product in ipairs(products) do
  local quantity, limit = tonumber(ARGV[3 + 3 * i]), tonumber(ARGV[4 + 3 * i])
  if not available[i] then return {2, tonumber(product)} end
  if (counted[i] == 1) ~= (limit >= 0) then return {-1} end
  if limit > 0 then
    local count = tonumber(redis.call('HGET', KEYS[6], product .. ' ' .. ARGV[4]) or 0)
    if count + quantity > limit then return {3, tonumber(product), count} end
  end
  if tonumber(available[i]) < quantity then return {1, tonumber(product)} end
end

for i, product in ipairs(products) do
  local quantity = ARGV[3 + 3 * i]
  redis.call('HINCRBY', KEYS[2], product, -quantity)
  if counted[i] == 1 then redis.call('HINCRBY', KEYS[6], product .. ' ' .. ARGV[4], quantity) end
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[2])
redis.call('HSET', KEYS[4], ARGV[2], table.concat(lines, ' ') .. ' @' .. ARGV[4])
return {0, tonumber(gate[1])}
