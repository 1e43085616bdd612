-- Ends a session: aborts the running turn, cancels what waits, records SESSION_END; what is left is
-- a tombstone with the log, for readers that have not seen the end yet.
-- KEYS: state inbox events messages seen lease pending sessions owned ends
-- ARGV: server channel node_channel id node call reason reason_code max_events
-- REPLY: not_found | ended <SESSION_END record>
-- RULES: S2 D4 D9
local TOMBSTONE_MS = 60000
--@include clock
--@include log
--@include head
--@include end-record
if not cursor then return { 'not_found' } end
local s = redis.call('HMGET', state, 'ended', 'end_record', 'batch', 'holder', 'lease_until',
  'turn_id', 'attempt')
if s[1] then
  if s[1] == call then return { 'ended', s[2] } end
  return { 'not_found' }
end
local started = tonumber(s[3] or 0)
local entries = redis.call('LRANGE', inbox, 0, -1)
for i, entry in ipairs(entries) do
  local running = i <= started
  local position = string.match(entry, '^%S+ %d+ (%d+)')
  local final = { 't', 'f', 'm', entry_id(entry), 'p', position,
    's', running and 'aborted' or 'cancelled', 'r', 'session_ended' }
  if running then
    for _, field in ipairs({ 'u', s[6], 'a', s[7] }) do table.insert(final, field) end
  end
  log_append(final)
end
local executing = started > 0 and tonumber(s[5] or 0) > now
local record = end_record(reason, reason_code, #entries, executing, false)
log_save()
redis.call('HSET', state, 'ended', call, 'end_record', record)
redis.call('HDEL', state, 'holder', 'token', 'batch', 'turn_id', 'abort', 'ring_mark')
redis.call('DEL', inbox, messages, seen, lease)
redis.call('ZREM', pending, id)
redis.call('ZREM', sessions, id)
redis.call('ZREM', owned, id)
redis.call('PEXPIRE', state, TOMBSTONE_MS)
redis.call('PEXPIRE', events, TOMBSTONE_MS)
if s[4] then redis.call('PUBLISH', node_channel .. s[4], 'ended ' .. id) end
return { 'ended', record }
