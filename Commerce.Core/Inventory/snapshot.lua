-- Returns the gate's content at one moment.
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers
-- Returns {epoch, server, {product, available, ...}, {order, lines, ...}}; epoch 0 if the gate is closed.
local gate = redis.call('HMGET', KEYS[1], 'epoch', 'server')
if not gate[1] then return {0, '', {}, {}} end
return {tonumber(gate[1]), gate[2], redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[4])}
