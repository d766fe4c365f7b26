-- Redeems a ticket. A second call finds nothing.
-- KEYS  1 ticket
-- Returns the user, or '' if the ticket does not exist (any more).
local user = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return user or ''
