-- Measures how much waits in a partition, and since when. At most 100 listed sessions are looked at, so that a call is
-- bounded; how many others have work is estimated from these. A session is as old as the head of its inbox. A paused
-- session waits for its operator and does not count as late.
-- KEYS: pending paused_agents
-- ARGV: session_prefix
-- REPLY: measured <sessions> <messages> <ms since the oldest head was accepted>
-- RULES: T7 P3 E7
local LOOKED_AT_MAX = 100
--@include clock
--@include pause
local messages, with_work, oldest = 0, 0, now
local looked_at = redis.call('ZRANGE', pending, 0, LOOKED_AT_MAX - 1)
for _, id in ipairs(looked_at) do
  local inbox = inbox_of(id)
  local head = redis.call('LINDEX', inbox, 0)
  if head then
    with_work = with_work + 1
    messages = messages + redis.call('LLEN', inbox)
    local r = redis.call('HMGET', state_of(id), 'paused', 'agent')
    if not is_paused({ paused = r[1], agent = r[2] }) then
      oldest = math.min(oldest, tonumber(string.match(head, '^%S+ (%d+)')))
    end
  end
end
local sessions = math.floor(redis.call('ZCARD', pending) * with_work / math.max(1, #looked_at))
return { 'measured', sessions, messages, now - oldest }
