-- Schedules transitions, each with a key that expires when it is due. An older version never replaces a newer one, and repeated
-- calls are safe. Times are relative to now, so this server's clock need not be correct.
-- KEYS  1 schedule   2 pending   3... the timer of each transition
-- ARGV  1 the server whose schedule is complete with this call, or ''   2 number of transitions if it is complete
--         then per transition: name, ms until it is due (negative if it has passed), version
-- Returns the number of scheduled transitions.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local put = 0
for i = 3, #KEYS do
  local at = 3 + (i - 3) * 3
  local name, due, version = ARGV[at], now + ARGV[at + 1], ARGV[at + 2]
  local known = redis.call('HGET', KEYS[2], name)
  if not known or tonumber(known) <= tonumber(version) then
    redis.call('ZADD', KEYS[1], due, name)
    redis.call('HSET', KEYS[2], name, version)
    redis.call('SET', KEYS[i], version)
    redis.call('PEXPIREAT', KEYS[i], due)
    put = put + 1
  end
end
-- The schedule is incomplete if it was emptied after the first transition was added.
if ARGV[1] ~= '' and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then redis.call('HSET', KEYS[2], 'server', ARGV[1]) end
return put
