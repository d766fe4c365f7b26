-- Whether the gate refuses everybody new, so that callers may say so themselves for a while. While epoch and version stay and the answer
-- does, nobody is added to the users. Not while somebody's row is on its way: who has to come again may only find out here.
-- KEYS  1 gate   2 users   3 pending
-- ARGV  1 the server that the caller believes it talks to
-- Returns {verdict, epoch, version, users}: verdict 1 sold out, 4 ended or cancelled; {0} it does not, or is closed.
local gate = redis.call('HMGET', KEYS[1], 'stock', 'closes', 'state', 'epoch', 'server', 'version')
if not gate[1] or gate[5] ~= ARGV[1] or gate[3] == 'WAITING' or redis.call('EXISTS', KEYS[3]) == 1 then return {0} end
local verdict = gate[3] ~= 'ACTIVE' and 4 or gate[1] + 0 <= 0 and 1 or redis.call('TIME')[1] * 1000 >= gate[2] + 0 and 4
if not verdict then return {0} end
return {verdict, gate[4] + 0, gate[6] + 0, redis.call('HLEN', KEYS[2])}
