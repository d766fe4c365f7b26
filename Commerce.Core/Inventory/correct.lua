-- Repairs what is available of a product, only where nothing has moved since it was compared with the ledger.
-- KEYS  1 gate   2 available   3 holds   4 lines
-- ARGV  1 epoch   2 product   3 what was available then   4 what is right
-- Returns 1 repaired, 0 it moved.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] or redis.call('HGET', KEYS[2], ARGV[2]) ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
return 1
