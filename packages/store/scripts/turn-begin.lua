-- Starts the turn of the message at the head: takes the lease (new fence), or goes on under the one that is held.
-- `redlock`: `here` if its key is in this Redis; with a `quorum` the key proves nothing here, and is not looked at.
-- KEYS: state inbox events messages lease pending held paused_agents
-- ARGV: server channel id token fence turn_id node ring ttl redlock max_attempts max_hand_overs
--       max_events max_log_bytes
-- REPLY: refused <why> | empty | exhausted <head> <entries> | begun <head> <entries>
--        | alone <head> <entries>: the last attempt, in a process of its own
-- RULES: L1 L2 L3 L6 T1 T3 T4 T5 T6 T7 P1
if not s.cursor then return { 'refused', 'gone' } end
--@include clock
--@include log
--@include entry
--@include head-start
--@include head-reply
--@include live
--@include pause
--@include stands
--@include due
--@include attempts
local holding = s.token == token
if holding and s.turn_id == turn_id then return head_reply(s.turn_word) end -- its reply was lost
if (s.fence or '0') ~= fence or s.ended then return { 'refused', 'fence' } end
if not holding and lease_lives(s) then return { 'refused', 'held' } end
if redlock == 'here' and redis.call('GET', lease) ~= token then return { 'refused', 'lease' } end
if holding and s.batch then return head_reply(s.turn_word) end -- `inbox-append` has begun it
local first = redis.call('LINDEX', inbox, 0)
if not first then return { 'empty' } end
if stands_still(s) then return { 'refused', 'paused' } end
if retry_wait(s) > 0 then return { 'refused', 'waits' } end
redis.call('ZCARD', pending) -- read before anything is written
redis.call('ZCARD', held)

if not holding then
  local is_taken_over = s.fence and string.match(s.released or '', '%S+$') ~= s.fence -- it was never released
  put('pause', s.handed_at and now - s.handed_at or is_taken_over and 'lost' or '')
  put('cut', s.handed or '')
  put('fence', int(math.max(tonumber(fence) + 1, now)))
end
local again = s.batch ~= false -- started before, by a holder that died, gave up or let it wait
local attempt, cuts, word = attempts_next()
if not again then head_start(turn_id, first) end
put('token', token)
put('holder', node)
put('lease_until', now + ttl)
put('lease_ttl', ttl)
put('turn_id', turn_id)
put('turn_word', word)
put('attempt', attempt)
put('cuts', cuts)
put('delta', 0)
put('sweeps', 0)
if again then put('first_at', '') end
for _, field in ipairs({ 'handed', 'handed_at', 'retry_at', 'retry_delay' }) do put(field, false) end
if s.ring_mark == ring then put('ring_mark', false) end
if again and word ~= 'exhausted' then
  local message_id = entry_id(redis.call('LINDEX', inbox, tonumber(s.batch) - 1))
  log_append({ 't', 'r', 'm', message_id, 'u', turn_id, 'a', attempt })
  log_save()
end
due_set(s.lease_until)
if not holding then redis.call('ZADD', held, s.lease_until, id) end
state_save()
return head_reply(word)
