-- Opens a lost or new room without places, but with the admissions that are still valid.
-- KEYS: room, waiting, seen, admitted
-- ARGV: server, epoch, time to live of the keys (s), then for each admission: expires (µs since 1970), user
-- Returns: 1 if it was opened, 0 if this server has it open under this epoch or a newer one
local room = redis.call('HMGET', KEYS[1], 'server', 'epoch')
if room[1] == ARGV[1] and tonumber(room[2]) >= tonumber(ARGV[2]) then return 0 end
local time = redis.call('TIME')
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
redis.call('HSET', KEYS[1], 'server', ARGV[1], 'epoch', ARGV[2], 'at', string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])), 'credit', 0, 'next', 0)
for i = 4, #ARGV, 2 do redis.call('ZADD', KEYS[4], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[4], ARGV[3])
return 1
