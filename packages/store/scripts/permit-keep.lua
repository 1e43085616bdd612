-- Extends permits that are still in use.
-- KEYS: permits
-- ARGV: holders ttl
-- REPLY: kept
-- RULES: B1
--@include clock
for _, holder in ipairs(cjson.decode(holders)) do redis.call('ZADD', permits, 'XX', now + ttl, holder) end
redis.call('PEXPIRE', permits, ttl)
return { 'kept' }
