-- Takes a ticket: whoever comes second finds nothing.
-- KEYS  1 ticket
-- Returns the user, '' where there is no such ticket (any more).
local user = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return user or ''
