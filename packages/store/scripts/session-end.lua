-- Ends a session: aborts the running turn, cancels waiting messages, records SESSION_END. A tombstone with the log
-- stays for a minute, for readers that have not seen the end yet.
-- KEYS: state inbox events messages seen lease pending sessions owned ends end_call
-- ARGV: server channel node_channel id node reason reason_code max_events max_log_bytes
-- REPLY: not_found | ended <SESSION_END record>
-- RULES: S2 D4 D9 C4
local TOMBSTONE_MS = 60000
-- Not in the state: a new session under this id deletes that, and the repeat would end the new session.
local recorded = redis.call('GET', end_call)
if recorded then return { 'ended', recorded } end
--@include clock
--@include log
--@include entry
--@include live
--@include expiry
--@include end-record
if not cursor or s.ended then return { 'not_found' } end
local started = tonumber(s.batch or 0)
local entries = redis.call('LRANGE', inbox, 0, -1)
for _, listing in ipairs({ pending, sessions, owned }) do redis.call('ZCARD', listing) end
redis.call('LLEN', ends)
for i, entry in ipairs(entries) do
  local running = i <= started
  local position = string.match(entry, '^%S+ %d+ (%d+)')
  local final = { 't', 'f', 'm', entry_id(entry), 'p', position,
    's', running and 'aborted' or 'cancelled', 'r', 'session_ended' }
  if running then
    for _, field in ipairs({ 'u', s.turn_id, 'a', s.attempt }) do table.insert(final, field) end
  end
  log_append(final)
end
local holder = s.holder
local executing = started > 0
  and lease_lives({ holder = holder or started, lease_until = s.lease_until, lease_ttl = s.lease_ttl })
local record = end_record(reason, reason_code, #entries, executing, false)
log_save()
put('ended', 1)
redis.call('SET', end_call, record, 'PX', TOMBSTONE_MS)
for _, field in ipairs({ 'holder', 'token', 'batch', 'turn_id', 'abort', 'ring_mark' }) do put(field, false) end
redis.call('DEL', inbox, messages, seen, lease)
redis.call('ZREM', pending, id)
redis.call('ZREM', sessions, id)
redis.call('ZREM', owned, id)
expiry_set(now + TOMBSTONE_MS)
state_save()
if holder then redis.pcall('PUBLISH', node_channel .. holder, 'ended ' .. id) end
return { 'ended', record }
