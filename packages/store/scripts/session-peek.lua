-- Returns whether a session has work that may begin, and who holds it. Forgets the ring that asks if it is not needed.
-- A lease, a Redlock or a wait that ends later than its length allows was written before the clock of Redis was set
-- back: it is cut to that length from now. (A live holder renews its lease after that.)
-- KEYS: state inbox pending paused_agents lease
-- ARGV: id ring max_attempts max_hand_overs ttl
-- REPLY: none | held <holder> | paused | waits <ms, '' for any ring but the last one>
--        | free <fence> <agent> <principal> <session_id> <its attempt is the last one, alone>
-- RULES: L6 T4 T5 T7 P1 P3
--@include clock
--@include pause
--@include stands
--@include due
--@include attempts
local is_last_ring = s.ring_mark == ring
local function answer(...)
  state_save()
  return { ... }
end
redis.call('ZCARD', pending) -- read before anything is written
local is_locked = redis.call('STRLEN', lease) > 0
if redis.call('LLEN', inbox) == 0 then
  if is_last_ring then put('ring_mark', false) end
  return answer('none')
end
local ends = tonumber(s.lease_until) or 0
if s.holder and ends > now then
  if is_last_ring then put('ring_mark', false) end
  local ttl = tonumber(s.lease_ttl) or ends - now
  if ends > now + ttl then
    ends = now + ttl
    put('lease_until', ends)
    if redis.call('PTTL', lease) > tonumber(ttl) then redis.call('PEXPIRE', lease, ttl) end
  end
  due_set(ends)
  return answer('held', s.holder)
end
if stands_still(s) then
  if is_last_ring then put('ring_mark', false) end
  return answer('paused')
end
local wait = retry_wait(s) -- a ring that comes too early is delayed again
if wait > 0 then
  if tonumber(s.retry_at) > now + wait then put('retry_at', now + wait) end
  return answer('waits', is_last_ring and int(wait) or '')
end
if is_locked and redis.call('PTTL', lease) > tonumber(ttl) then redis.call('PEXPIRE', lease, ttl) end
local _, _, word = attempts_next()
return { 'free', s.fence or '0', s.agent, s.principal, s.session_id, word == 'alone' and 1 or 0 }
