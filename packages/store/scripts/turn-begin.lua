-- Starts the turn of the message at the head: takes the lease (new fence) or goes on under it.
-- KEYS: state inbox events lease pending paused_agents
-- ARGV: server channel id token fence turn_id node ring ttl lease_here max_attempts max_hand_overs
--       max_events max_log_bytes
-- REPLY: refused <why> | empty | exhausted <head> <entries> | begun <head> <entries>
--        | alone <head> <entries>: the last attempt, in a process of its own
-- RULES: L1 L2 L3 L6 T1 T3 T4 T5 T6 T7 P1
--@include clock
--@include log
--@include head
--@include live
--@include pause
--@include attempts
if not cursor then return { 'refused', 'gone' } end
local s = redis.call('HMGET', state, 'token', 'fence', 'holder', 'lease_until', 'turn_id', 'batch',
  'handed', 'ring_mark', 'ended', 'turn_word', 'handed_at', 'released',
  'lease_ttl')
if s[1] == token and s[5] == turn_id then return head_reply(s[10]) end -- its reply was lost
if (s[2] or '0') ~= fence or s[9] then return { 'refused', 'fence' } end
local holding = s[1] == token
if not holding and lease_lives(s[3], s[4], s[13]) then return { 'refused', 'held' } end
if lease_here == '1' and redis.call('GET', lease) ~= token then return { 'refused', 'lease' } end
if redis.call('LLEN', inbox) == 0 then return { 'empty' } end
if stands_still() then return { 'refused', 'paused' } end
if retry_wait() > 0 then return { 'refused', 'waits' } end

if not holding then
  local is_taken_over = s[2] and string.match(s[12] or '', '%S+$') ~= s[2] -- it was never released
  fence = string.format('%.0f', math.max(tonumber(fence) + 1, now))
  redis.call('HSET', state, 'pause', s[11] and now - s[11] or is_taken_over and 'lost' or '',
    'cut', s[7] or '')
end
local lease_until = now + ttl
local again = s[6] ~= false -- started before, by somebody who died, gave up or let it wait
local attempt, cuts, word = attempts_next()
if not again then redis.call('HSET', state, 'batch', head_size()) end
redis.call('HSET', state, 'token', token, 'fence', fence, 'holder', node, 'lease_until', lease_until,
  'lease_ttl', ttl, 'turn_id', turn_id, 'turn_word', word, 'attempt', attempt, 'cuts', cuts, 'delta', 0,
  'sweeps', 0, 'first_at', again and '' or now)
redis.call('HDEL', state, 'handed', 'handed_at', 'retry_at', s[8] == ring and 'ring_mark' or 'handed')
redis.call('ZADD', pending, lease_until, id)
if again and word ~= 'exhausted' then
  local batch = tonumber(s[6])
  local message_id = entry_id(redis.call('LINDEX', inbox, batch - 1))
  log_append({ 't', 'r', 'm', message_id, 'u', turn_id, 'a', attempt })
  log_save()
end
return head_reply(word)
