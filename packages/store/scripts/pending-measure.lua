-- How much waits in a partition, and since when: of at most 100 of its sessions, so that the work of one
-- call is bounded. A session is as old as the head of its inbox; one that is paused waits for its operator,
-- and is not late.
-- KEYS: pending paused_agents
-- ARGV: session_prefix
-- REPLY: measured <sessions> <messages> <ms since the oldest head was accepted>
-- RULES: T7 P3 E7
local LOOKED_AT_MAX = 100
--@include clock
--@include pause
local messages, oldest = 0, now
for _, id in ipairs(redis.call('ZRANGE', pending, 0, LOOKED_AT_MAX - 1)) do
  local inbox = session_prefix .. id .. ':inbox'
  local head = redis.call('LINDEX', inbox, 0)
  if head then
    messages = messages + redis.call('LLEN', inbox)
    local r = redis.call('HMGET', session_prefix .. id .. ':state', 'paused', 'agent')
    if not is_paused({ paused = r[1], agent = r[2] }) then
      oldest = math.min(oldest, tonumber(string.match(head, '^%S+ (%d+)')))
    end
  end
end
return { 'measured', redis.call('ZCARD', pending), messages, now - oldest }
