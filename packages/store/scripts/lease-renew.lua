-- Moves the end of the lease; tells the holder of an abort that it did not hear.
-- KEYS: state pending
-- ARGV: token fence id ttl
-- REPLY: fenced | ended | renewed <abort>
-- RULES: L1 L3 T6
--@include fence
if fenced then return { s.ended and 'ended' or 'fenced' } end -- by D9
--@include clock
redis.call('ZADD', pending, 'XX', now + ttl, id)
put('lease_until', now + ttl)
put('lease_ttl', ttl)
state_save()
return { 'renewed', s.abort or '' }
