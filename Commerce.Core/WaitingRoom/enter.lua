-- Admits the users whose turn has come, and then returns the place of this user. A user who joins gets a place. Admissions depend
-- only on the rate and this server's clock, so any caller can make them and no other process is needed.
-- KEYS: room, waiting, seen, admitted
-- ARGV: server, user, joins (1 or 0), admits (1 or 0: the event is open), rate (per second), validity of a pass (µs),
--   how long a place is kept without requests (s), time to live of the keys (s)
-- Returns: {} the room is closed: never opened, lost, or opened by another incarnation of the server
--   {epoch} no place
--   {epoch, expires} admitted, with a pass until then (µs since 1970)
--   {epoch, ahead, credit, waiting} the users ahead, the saved part of an admission (millionths), and the number of waiting users
local room = redis.call('HMGET', KEYS[1], 'server', 'epoch', 'at', 'credit')
if room[1] ~= ARGV[1] then return {} end
local epoch, at, credit = tonumber(room[2]), tonumber(room[3]), tonumber(room[4])
local user, rate, keep = ARGV[2], tonumber(ARGV[5]), tonumber(ARGV[7])
local time = redis.call('TIME')
local seconds = tonumber(time[1])
local now = seconds * 1000000 + tonumber(time[2])

redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%.0f', now))
local expires = redis.call('ZSCORE', KEYS[4], user)
local added = false
if not expires then
  if redis.call('HEXISTS', KEYS[3], user) == 1 then
    redis.call('HSET', KEYS[3], user, seconds)
  elseif ARGV[3] == '1' then
    added = true
    redis.call('HSET', KEYS[3], user, seconds)
    redis.call('ZADD', KEYS[2], redis.call('HINCRBY', KEYS[1], 'next', 1), user)
  end
end

if ARGV[4] == '1' then
  -- At most the admissions of one second are saved. A clock that was set back adds nothing until it has caught up.
  credit = math.min(credit + math.max(0, now - at) * rate, rate * 1000000)
  local most = 1000
  while credit >= 1000000 and most > 0 do
    local first = redis.call('ZPOPMIN', KEYS[2], math.min(math.floor(credit / 1000000), most))
    if #first == 0 then break end
    for i = 1, #first, 2 do
      most = most - 1
      local asked = tonumber(redis.call('HGET', KEYS[3], first[i])) or 0
      redis.call('HDEL', KEYS[3], first[i])
      -- A user who has stopped asking costs no admission.
      if asked + keep >= seconds then
        credit = credit - 1000000
        local ending = string.format('%.0f', now + tonumber(ARGV[6]))
        redis.call('ZADD', KEYS[4], ending, first[i])
        added = true
        if first[i] == user then expires = ending end
      end
    end
  end
end
redis.call('HSET', KEYS[1], 'at', string.format('%.0f', math.max(now, at)), 'credit', string.format('%.0f', credit))
-- A set that was empty before is a new key without an expiry, and no later request may come to set one.
if added or math.floor(now / 60000000) ~= math.floor(at / 60000000) then
  for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[8]) end
end

if expires then return {epoch, string.format('%.0f', expires)} end
local ahead = redis.call('ZRANK', KEYS[2], user)
if not ahead then return {epoch} end
return {epoch, ahead, math.floor(credit), redis.call('ZCARD', KEYS[2])}
