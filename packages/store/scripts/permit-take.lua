-- Takes one of the `most` permits to run turns that an agent or a principal has in the cluster. A session that gets
-- none is noted as waiting, for 10 s at a time. A permit expires unless it is kept. One that ends later than its TTL
-- (the last word of its holder) allows was written before the clock of Redis was set back (L6).
-- KEYS: permits waiting
-- ARGV: holder id most ttl
-- REPLY: taken | full <number waiting>
-- RULES: L6 B1
local WAITING_KEPT = 10000
--@include clock
redis.call('ZREMRANGEBYSCORE', permits, '-inf', now)
redis.call('ZREMRANGEBYSCORE', waiting, '-inf', now - WAITING_KEPT)
redis.call('ZREMRANGEBYSCORE', waiting, '(' .. now, '+inf')
for _, late in ipairs(redis.call('ZRANGEBYSCORE', permits, '(' .. now + ttl, '+inf')) do
  local meant = tonumber(string.match(late, ' (%d+)$'))
  if meant then redis.call('ZADD', permits, 'LT', now + meant, late) end
end
if redis.call('ZSCORE', permits, holder) or redis.call('ZCARD', permits) < tonumber(most) then
  redis.call('ZADD', permits, now + ttl, holder)
  redis.call('PEXPIRE', permits, ttl)
  redis.call('ZREM', waiting, id)
  return { 'taken' }
end
redis.call('ZADD', waiting, now, id)
redis.call('PEXPIRE', waiting, WAITING_KEPT)
return { 'full', redis.call('ZCARD', waiting) }
