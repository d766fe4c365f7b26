-- Announces an opening to the replicas of the Api. The ids of the stream are the numbers of the openings, so a duplicate adds
-- nothing. An opening that arrives after a later one cannot be added. The replicas notice the gap and read the database.
-- KEYS  1 stream
-- ARGV  1 number   2 message (JSON)   3 maximum length   4 channel that wakes the replicas
-- Returns 1 added, 0 not.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local added = 0
if not last or tonumber(string.match(last[1], '^%d+')) < tonumber(ARGV[1]) then
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], ARGV[1] .. '-0', 'message', ARGV[2])
  added = 1
end
redis.call('PUBLISH', ARGV[4], ARGV[1])
return added
