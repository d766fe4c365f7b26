-- Takes one coupon for one user, or says why not. Atomic: decrement, remembering the user and the pending entry happen together.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 user   2 the server that the caller believes it talks to   3 ms until the sweeper looks after the entry
-- Returns {-1} gate closed (not loaded, or loaded on another server: restarted or failed over), {1} sold out, {2} already issued,
--         {3} not started, or its event is not open yet, {4} ended or cancelled; or, when accepted, {0, accepted at (ms), epoch}
local call, user = redis.call, ARGV[1]
local gate = call('HMGET', KEYS[1], 'stock', 'opens', 'closes', 'state', 'epoch', 'server')
if not gate[1] or gate[6] ~= ARGV[2] then return {-1} end

-- One clock decides about the window: this server's.
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local refusal = gate[4] == 'WAITING' and 3 or gate[4] ~= 'ACTIVE' and 4 or gate[1] + 0 <= 0 and 1
  or now < gate[2] + 0 and 3 or now >= gate[3] + 0 and 4

-- Who has it is told so, whatever else holds by now.
if refusal then return {call('HEXISTS', KEYS[2], user) == 1 and 2 or refusal} end
if call('HSETNX', KEYS[2], user, now) == 0 then return {2} end
call('HINCRBY', KEYS[1], 'stock', -1)
call('ZADD', KEYS[3], now + ARGV[3], user)
return {0, now, gate[5] + 0}
