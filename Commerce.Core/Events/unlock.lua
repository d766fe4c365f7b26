-- Releases a lock if the caller still owns it. After the lock has expired, another process may own it.
-- KEYS  1 lock
-- ARGV  1 token
-- Returns 1 released, 0 not owned any more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
