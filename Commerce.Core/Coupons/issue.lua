-- Issues a coupon to several users, in order, or returns the refusals. Decrementing the stock, recording the users and writing the
-- pending entries are one atomic step.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 the run id of the server that the caller expects   2 ms until the sweeper checks the entries   3... users
-- Returns {-1} gate closed (not loaded, or loaded on another server: restarted or failed over); otherwise {now (ms), epoch, a digit
--         for each user}: 0 accepted, 1 sold out, 2 already issued, 3 not started, or its event is not open yet, 4 ended or cancelled,
--         5 already issued, but the row is not confirmed yet
local call = redis.call
local gate = call('HMGET', KEYS[1], 'stock', 'opens', 'closes', 'state', 'epoch', 'server')
if not gate[1] or gate[6] ~= ARGV[1] then return {-1} end

-- This server's clock decides whether the window is open.
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = gate[4] == 'WAITING' and '3' or gate[4] ~= 'ACTIVE' and '4'
local window = now < gate[2] + 0 and '3' or now >= gate[3] + 0 and '4'
local stock, due, answers, pending = gate[1] + 0, now + ARGV[2], {}, {}

local function issued(user) return call('ZSCORE', KEYS[3], user) and '5' or '2' end

for i = 3, #ARGV do
  local user = ARGV[i]
  local refusal = state or stock <= 0 and '1' or window
  -- A user who already has the coupon gets that answer, whatever the refusal of new users is.
  if refusal then
    answers[#answers + 1] = call('HEXISTS', KEYS[2], user) == 1 and issued(user) or refusal
  elseif call('HSETNX', KEYS[2], user, now) == 0 then
    answers[#answers + 1] = issued(user)
  else
    answers[#answers + 1] = '0'
    stock = stock - 1
    pending[#pending + 1] = due
    pending[#pending + 1] = user
  end
end

if #pending > 0 then
  call('HSET', KEYS[1], 'stock', stock)
  call('ZADD', KEYS[3], unpack(pending))
end
return {now, gate[5] + 0, table.concat(answers)}
