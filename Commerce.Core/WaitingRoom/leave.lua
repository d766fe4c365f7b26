-- Gives up a place. An admission is kept, and its pass stays valid.
-- KEYS: room, waiting, seen, admitted
-- ARGV: user
-- Returns: 1 if the user had a place, else 0
redis.call('HDEL', KEYS[3], ARGV[1])
return redis.call('ZREM', KEYS[2], ARGV[1])
