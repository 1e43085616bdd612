-- Takes one of `most` permits to run a turn, of those that an agent or a principal has in the cluster.
-- Who finds none is noted as waiting until it asks again. A permit that is not kept expires. One that ends later
-- than its TTL allows, the last word of its holder, was written before the clock of Redis was set back (L6).
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
