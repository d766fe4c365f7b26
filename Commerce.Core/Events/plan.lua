-- Puts moments into the schedule, each with a key that expires at its time. An older version never replaces a newer one. Safe to repeat.
-- KEYS  1 schedule   2 pending   3... the timer of each moment
-- ARGV  1 the server whose schedule is whole with this, or ''   then of each moment: name, due (ms), version
-- Returns how many were put.
local put = 0
for i = 3, #KEYS do
  local at = 2 + (i - 3) * 3
  local name, due, version = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local known = redis.call('HGET', KEYS[2], name)
  if not known or tonumber(known) <= tonumber(version) then
    redis.call('ZADD', KEYS[1], due, name)
    redis.call('HSET', KEYS[2], name, version)
    redis.call('SET', KEYS[i], version)
    redis.call('PEXPIREAT', KEYS[i], due)
    put = put + 1
  end
end
if ARGV[1] ~= '' then redis.call('HSET', KEYS[2], 'server', ARGV[1]) end
return put
