-- Is there work that may begin, and is anybody at it? Drops the ring that asks when it is needless.
-- A lease that ends later than its TTL allows was written before the clock of Redis was set back: it ends a
-- TTL from now, its Redlock too, unless its holder lives and renews it.
-- KEYS: state inbox pending paused_agents lease
-- ARGV: id ring max_attempts max_hand_overs
-- REPLY: none | held <holder> | paused | waits <ms, '' for any ring but the last one>
--        | free <fence> <agent> <principal> <session_id> <its attempt is the last one, alone>
-- RULES: L6 T4 T5 T7 P1 P3
--@include clock
--@include pause
--@include attempts
local s = redis.call('HMGET', state, 'lease_until', 'holder', 'fence', 'agent', 'principal',
  'session_id', 'ring_mark', 'lease_ttl')
local function drop_ring()
  if s[7] == ring then redis.call('HDEL', state, 'ring_mark') end
end
if redis.call('LLEN', inbox) == 0 then
  drop_ring()
  redis.call('ZREM', pending, id)
  return { 'none' }
end
local ends = tonumber(s[1]) or 0
if s[2] and ends > now then
  drop_ring()
  local ttl = tonumber(s[8]) or ends - now
  if ends > now + ttl then
    ends = now + ttl
    redis.call('HSET', state, 'lease_until', ends)
    if redis.call('PTTL', lease) > ttl then redis.call('PEXPIRE', lease, ttl) end
  end
  redis.call('ZADD', pending, ends, id)
  return { 'held', s[2] }
end
if stands_still() then
  drop_ring()
  return { 'paused' }
end
local wait = retry_wait() -- a ring that comes too early goes round again
if wait > 0 then return { 'waits', s[7] == ring and string.format('%.0f', wait) or '' } end
local _, _, word = attempts_next()
return { 'free', s[3] or '0', s[4], s[5], s[6], word == 'alone' and 1 or 0 }
