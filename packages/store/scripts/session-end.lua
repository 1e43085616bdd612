-- Ends a session: aborts the running turn, cancels what waits, records SESSION_END; what is left is
-- a tombstone with the log, for readers that have not seen the end yet.
-- KEYS: state inbox events messages seen lease pending sessions owned ends end_call
-- ARGV: server channel node_channel id node reason reason_code max_events max_log_bytes
-- REPLY: not_found | ended <SESSION_END record>
-- RULES: S2 D4 D9 C4
local TOMBSTONE_MS = 60000
-- Not in the state: a new session under this id would take it along, and be ended by the repeat.
local recorded = redis.call('GET', end_call)
if recorded then return { 'ended', recorded } end
--@include clock
--@include log
--@include head
--@include live
--@include expiry
--@include end-record
if not cursor then return { 'not_found' } end
local s = redis.call('HMGET', state, 'ended', 'batch', 'holder', 'lease_until', 'turn_id', 'attempt',
  'lease_ttl')
if s[1] then return { 'not_found' } end
local started = tonumber(s[2] or 0)
local entries = redis.call('LRANGE', inbox, 0, -1)
for i, entry in ipairs(entries) do
  local running = i <= started
  local position = string.match(entry, '^%S+ %d+ (%d+)')
  local final = { 't', 'f', 'm', entry_id(entry), 'p', position,
    's', running and 'aborted' or 'cancelled', 'r', 'session_ended' }
  if running then
    for _, field in ipairs({ 'u', s[5], 'a', s[6] }) do table.insert(final, field) end
  end
  log_append(final)
end
local executing = started > 0 and lease_lives(s[3] or started, s[4], s[7])
local record = end_record(reason, reason_code, #entries, executing, false)
log_save()
redis.call('HSET', state, 'ended', 1)
redis.call('SET', end_call, record, 'PX', TOMBSTONE_MS)
redis.call('HDEL', state, 'holder', 'token', 'batch', 'turn_id', 'abort', 'ring_mark')
redis.call('DEL', inbox, messages, seen, lease)
redis.call('ZREM', pending, id)
redis.call('ZREM', sessions, id)
redis.call('ZREM', owned, id)
expiry_set(now + TOMBSTONE_MS)
if s[3] then redis.pcall('PUBLISH', node_channel .. s[3], 'ended ' .. id) end
return { 'ended', record }
