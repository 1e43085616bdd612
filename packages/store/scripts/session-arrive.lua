-- Puts a copy of a session, which lies under other names, in its place: all of it or nothing. Nobody holds it here; the
-- sweep finds it at once if it has work, or a token whose lease has ended. `ttl`: ms until it expires, -1 for never.
-- `whole`: 0 if only the state has changed since the last copy.
-- KEYS: move staged staged_inbox staged_events staged_messages staged_seen record inbox events messages seen
--       sessions owned pending held
-- ARGV: run id ttl whole active owned_active
-- REPLY: superseded | lost | arrived
-- RULES: M1 M3 C2 C4
--@include clock
if redis.call('GET', move) ~= run then return { 'superseded' } end
if redis.call('EXISTS', staged) == 0 then return { 'lost' } end
for _, listing in ipairs({ sessions, owned, pending, held }) do redis.call('ZCARD', listing) end -- before any write
local pairs_of = { { staged_inbox, inbox }, { staged_events, events }, { staged_messages, messages },
  { staged_seen, seen }, { staged, record } }
for _, names in ipairs(pairs_of) do
  local from, to = names[1], names[2]
  if redis.call('EXISTS', from) == 1 then redis.call('RENAME', from, to)
  elseif whole == '1' then redis.call('DEL', to) end
  if ttl == '-1' then redis.call('PERSIST', to) else redis.call('PEXPIREAT', to, int(now + ttl)) end
end
if redis.call('HEXISTS', record, 'lease_until') == 1 then redis.call('HSET', record, 'lease_until', 0) end
if redis.call('HEXISTS', record, 'ended') == 1 then -- a tombstone is in no listing
  for _, listing in ipairs({ sessions, owned }) do redis.call('ZREM', listing, id) end
else
  redis.call('ZADD', sessions, active == '' and now_text or active, id)
  redis.call('ZADD', owned, owned_active == '' and now_text or owned_active, id)
end
if redis.call('LLEN', inbox) > 0 then redis.call('ZADD', pending, now, id) else redis.call('ZREM', pending, id) end
if redis.call('HEXISTS', record, 'token') == 1 then redis.call('ZADD', held, now, id)
else redis.call('ZREM', held, id) end
return { 'arrived' }
