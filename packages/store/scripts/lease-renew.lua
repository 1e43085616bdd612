-- Moves the end of the lease; tells the holder of an abort that it did not hear.
-- KEYS: state pending
-- ARGV: token fence id ttl
-- REPLY: fenced | renewed <abort>
-- RULES: L1 L3 T6
--@include fence
if fenced then return { 'fenced' } end
--@include clock
redis.call('HSET', state, 'lease_until', now + ttl)
redis.call('ZADD', pending, 'XX', now + ttl, id)
return { 'renewed', redis.call('HGET', state, 'abort') or '' }
