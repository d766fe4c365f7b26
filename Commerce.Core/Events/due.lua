-- Returns the due transitions by this server's clock, and the time until the next one.
-- KEYS  1 schedule   2 pending
-- ARGV  1 limit
-- Returns {the server of the schedule, '' if it was lost; ms until the next transition that is not due, or -1; name, name, ...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local coming = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local answer = { redis.call('HGET', KEYS[2], 'server') or '', coming[2] and tonumber(coming[2]) - now or -1 }
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  answer[#answer + 1] = name
end
return answer
