-- Opens a lost or new room without places, but with the admissions that are still valid. Redis limits the arguments of one call, so
-- the admissions come in several calls: one without admissions begins, the next ones add, and the last one opens the room.
-- KEYS: room, waiting, seen, admitted
-- ARGV: server, epoch, step ('begin', 'add' or 'open'), time to live of the keys (s), time to live of an opening that does not go on (s),
--   then for each admission: expires (µs since 1970), user
-- Returns: 1 if the step was taken, 0 if this server has the room open, or is opening it, under this epoch or a newer one
local room = redis.call('HMGET', KEYS[1], 'server', 'epoch', 'opening')
if ARGV[3] == 'begin' then
  if (room[1] == ARGV[1] or room[3] == ARGV[1]) and tonumber(room[2]) >= tonumber(ARGV[2]) then return 0 end
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
  redis.call('HSET', KEYS[1], 'opening', ARGV[1], 'epoch', ARGV[2])
elseif room[3] ~= ARGV[1] or room[2] ~= ARGV[2] then
  return 0
end
for i = 6, #ARGV, 2 do redis.call('ZADD', KEYS[4], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[4], ARGV[4])
if ARGV[3] ~= 'open' then
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  return 1
end
local time = redis.call('TIME')
redis.call('HDEL', KEYS[1], 'opening')
redis.call('HSET', KEYS[1], 'server', ARGV[1], 'at', string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])), 'credit', 0, 'next', 0)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
