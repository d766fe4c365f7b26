-- Takes one coupon for one user, or says why not. Atomic: decrement, remembering the user and the pending entry happen together.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 user   2 the server that the caller believes it talks to   3 ms until the sweeper looks after the entry
-- Returns {-1} gate closed (not loaded, or loaded on another server: restarted or failed over), {1} sold out, {2} already issued,
--         {3} not started, or its event is not open yet, {4} ended or cancelled; or, when accepted, {0, accepted at (ms), epoch}
local gate = redis.call('HMGET', KEYS[1], 'stock', 'opens', 'closes', 'state', 'epoch', 'server')
if not gate[1] or gate[6] ~= ARGV[2] then return {-1} end

-- Who has it is told so, whatever else holds by now.
local function refuse(code)
  if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return {2} end
  return {code}
end
if gate[4] ~= 'ACTIVE' then return refuse(gate[4] == 'WAITING' and 3 or 4) end
if tonumber(gate[1]) <= 0 then return refuse(1) end

-- One clock decides about the window: this server's.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now < tonumber(gate[2]) then return refuse(3) end
if now >= tonumber(gate[3]) then return refuse(4) end

if redis.call('HSETNX', KEYS[2], ARGV[1], now) == 0 then return {2} end
redis.call('HINCRBY', KEYS[1], 'stock', -1)
redis.call('ZADD', KEYS[3], now + ARGV[3], ARGV[1])
return {0, now, tonumber(gate[5])}
