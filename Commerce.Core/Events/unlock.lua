-- Lets a lock go, if it is still the caller's: after its time somebody else may hold it.
-- KEYS  1 lock
-- ARGV  1 token
-- Returns 1 let go, 0 it was not the caller's any more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
