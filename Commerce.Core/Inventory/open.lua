-- Replaces the content of the gate by the prepared keys, whose names end in ":next", and opens it.
-- KEYS  1 gate   2 available   3 holds   4 lines   5 counted   6 customers   7 next available   8 next holds   9 next lines   10 next counted
--       11 next customers
-- ARGV  1 epoch   2 server
-- Returns 1 opened, 0 a newer epoch is open.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and tonumber(epoch) > tonumber(ARGV[1]) then return 0 end
for i = 2, 6 do
  redis.call('DEL', KEYS[i])
  if redis.call('EXISTS', KEYS[i + 5]) == 1 then redis.call('RENAME', KEYS[i + 5], KEYS[i]) end
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'server', ARGV[2])
return 1
