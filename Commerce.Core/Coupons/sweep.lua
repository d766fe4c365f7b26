-- Returns due pending entries and sets their next due time. An entry waits for as long as it has waited so far. So a long outage of
-- the consumer does not repeat the same entries again and again.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 limit   2 minimum wait in ms
-- Returns {epoch, user, accepted at (ms), user, accepted at, ...}; epoch 0 if the gate is closed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, ARGV[1])
local answer = { tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0) }
for _, user in ipairs(due) do
  local accepted = tonumber(redis.call('HGET', KEYS[2], user) or now)
  redis.call('ZADD', KEYS[3], now + math.max(ARGV[2], now - accepted), user)
  answer[#answer + 1] = user
  answer[#answer + 1] = accepted
end
return answer
