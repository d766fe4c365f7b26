-- Reserves all lines of an order, or none, and stores them as a hold. Repeated calls for the same order are safe.
-- KEYS  1 gate   2 available   3 holds   4 lines
-- ARGV  1 the run id of the server that the caller expects   2 order   3 duration of the hold in ms   4.. product, quantity, product, quantity ...
-- Returns {0, epoch} held   {1, product} not enough of it   {2, product} not loaded   {-1} gate closed
local gate = redis.call('HMGET', KEYS[1], 'epoch', 'server')
if not gate[1] or gate[2] ~= ARGV[1] then return {-1} end
if redis.call('HEXISTS', KEYS[4], ARGV[2]) == 1 then return {0, tonumber(gate[1])} end

local products = {}
for i = 4, #ARGV, 2 do products[#products + 1] = ARGV[i] end
local available = redis.call('HMGET', KEYS[2], unpack(products))
for i, product in ipairs(products) do
  if not available[i] then return {2, tonumber(product)} end
  if tonumber(available[i]) < tonumber(ARGV[3 + 2 * i]) then return {1, tonumber(product)} end
end

for i, product in ipairs(products) do redis.call('HINCRBY', KEYS[2], product, -ARGV[3 + 2 * i]) end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[2])
redis.call('HSET', KEYS[4], ARGV[2], table.concat(ARGV, ' ', 4))
return {0, tonumber(gate[1])}
