-- Returns whether the gate refuses every new user, so that callers can cache the answer. No user is added while epoch, version and
-- answer stay the same. The answer is no while an entry is pending, because a user who retries must reach the gate.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 the run id of the server that the caller expects
-- Returns {verdict, epoch, version, users} with verdict 1 sold out, 4 ended or cancelled; {0} no, or the gate is closed.
local gate = redis.call('HMGET', KEYS[1], 'stock', 'closes', 'state', 'epoch', 'server', 'version')
if not gate[1] or gate[5] ~= ARGV[1] or gate[3] == 'WAITING' or redis.call('EXISTS', KEYS[3]) == 1 then return {0} end
local verdict = gate[3] ~= 'ACTIVE' and 4 or gate[1] + 0 <= 0 and 1 or redis.call('TIME')[1] * 1000 >= gate[2] + 0 and 4
if not verdict then return {0} end
return {verdict, gate[4] + 0, gate[6] + 0, redis.call('HLEN', KEYS[2])}
