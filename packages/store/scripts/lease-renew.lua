-- Extends the lease. The reply tells the holder of an abort or a message whose publication it may have missed.
-- KEYS: state inbox held
-- ARGV: token fence id ttl
-- REPLY: fenced | ended | renewed <abort> <something waits>
-- RULES: L1 L3 T6 T7
--@include fence
if fenced then return { s.ended and 'ended' or 'fenced' } end -- by D9
--@include clock
local waits = redis.call('LLEN', inbox) > 0
--@include held-move
held_move({ id })
put('lease_until', now + ttl)
put('lease_ttl', ttl)
state_save()
return { 'renewed', s.abort or '', waits and 1 or 0 }
