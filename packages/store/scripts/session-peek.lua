-- Is there work that may begin, and is anybody at it? Drops the ring that asks when it is needless.
-- A lease that ends later than its TTL allows was written before the clock of Redis was set back. It is held
-- while its holder beats, who renews it soon; of a holder that does not beat the Redlock goes too, which Redis
-- would keep by the old clock.
-- KEYS: state inbox pending paused_agents lease
-- ARGV: id ring max_attempts max_hand_overs beating
-- REPLY: none | held <holder> | paused | waits <ms, '' for any ring but the last one>
--        | free <fence> <agent> <principal> <session_id> <its attempt is the last one, alone>
-- RULES: L6 T4 T5 T7 P1 P3
--@include clock
--@include live
--@include pause
--@include attempts
local s = redis.call('HMGET', state, 'lease_until', 'holder', 'fence', 'agent', 'principal',
  'session_id', 'ring_mark', 'lease_ttl', 'token')
local function drop_ring()
  if s[7] == ring then redis.call('HDEL', state, 'ring_mark') end
end
if redis.call('LLEN', inbox) == 0 then
  drop_ring()
  redis.call('ZREM', pending, id)
  return { 'none' }
end
local lives, ends = lease_lives(s[2], s[1], s[8]), tonumber(s[1]) or 0
local is_misdated = s[2] and ends > now and not lives
if lives or is_misdated and string.find(beating, ' ' .. s[2] .. ' ', 1, true) then
  drop_ring()
  redis.call('ZADD', pending, lives and ends or now + 2000, id)
  return { 'held', s[2] }
end
if is_misdated and redis.call('GET', lease) == s[9] then redis.call('DEL', lease) end
if stands_still() then
  drop_ring()
  return { 'paused' }
end
local wait = retry_wait() -- a ring that comes too early goes round again
if wait > 0 then return { 'waits', s[7] == ring and string.format('%.0f', wait) or '' } end
local _, _, word = attempts_next()
return { 'free', s[3] or '0', s[4], s[5], s[6], word == 'alone' and 1 or 0 }
