-- A new number for a ring that is delayed or passed on, so that no older job can swallow it.
-- KEYS: state inbox pending
-- ARGV: id delay
-- REPLY: none | drawn <ring>
-- RULES: T7
--@include clock
if redis.call('LLEN', inbox) == 0 then return { 'none' } end
local ring = redis.call('HINCRBY', state, 'ring', 1)
redis.call('HSET', state, 'ring_mark', ring)
redis.call('ZADD', pending, now + 2000 + delay, id)
return { 'drawn', ring }
