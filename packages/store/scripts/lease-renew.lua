-- Moves the end of the lease; tells the holder of an abort that it did not hear.
-- KEYS: state pending
-- ARGV: token fence id ttl
-- REPLY: fenced | ended | renewed <abort>
-- RULES: L1 L3 T6
--@include fence
if fenced and redis.call('HEXISTS', state, 'ended') == 1 then return { 'ended' } end -- by D9
if fenced then return { 'fenced' } end
--@include clock
redis.call('HSET', state, 'lease_until', now + ttl, 'lease_ttl', ttl)
redis.call('ZADD', pending, 'XX', now + ttl, id)
return { 'renewed', redis.call('HGET', state, 'abort') or '' }
