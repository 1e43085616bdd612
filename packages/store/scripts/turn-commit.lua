-- Ends a turn: outcome, history, log and publication, and the next turn or idleness, in one step.
-- KEYS: state inbox events messages seen pending paused_agents sessions owned letters dead dead_owned
-- ARGV: token fence server channel id turn_id next_turn_id fetch status reason content usage
--       trailing max_events max_log_bytes max_messages max_seen max_dead resume_window
-- REPLY: fenced | idle | more | next <head> <entries>
-- RULES: S2 S3 L3 T1 T2 T4 T6 E1 C4 P1
--@include fence
if fenced then return { 'fenced' } end
--@include clock
--@include log
--@include head
--@include seen
--@include expiry
--@include letter
--@include history
--@include pause
local s = redis.call('HMGET', state, 'turn_id', 'last_turn', 'batch', 'attempt', 'abort')
local function what_follows()
  if redis.call('LLEN', inbox) == 0 then return { 'idle' } end
  return s[1] == next_turn_id and head_reply('next') or { 'more' }
end
if s[2] == turn_id then return what_follows() end -- its reply was lost
if s[1] ~= turn_id or not s[3] then return { 'fenced' } end
if s[5] and status ~= 'aborted' then status, reason = 'aborted', s[5] end -- the abort was promised

for _, fields in ipairs(cjson.decode(trailing)) do
  for _, field in ipairs({ 'u', turn_id, 'a', s[4] }) do table.insert(fields, field) end
  log_append(fields)
end
local batch = redis.call('LPOP', inbox, tonumber(s[3]))
local last = entry_id(batch[#batch])
local bytes = 0
for i, entry in ipairs(batch) do
  local message_id, position = entry_id(entry), string.match(entry, '^%S+ %d+ (%d+)')
  local final = { 't', 'f', 'm', message_id, 'p', position, 'u', turn_id, 'a', s[4], 's', status }
  local function add(name, value)
    if value ~= '' then table.insert(final, name) table.insert(final, value) end
  end
  add('r', reason)
  if i == #batch then add('c', content) add('g', usage) else add('i', last) end
  redis.call('ZADD', seen, log_append(final), message_id)
  history_append('u ' .. entry)
  if status == 'dead_lettered' then
    letter_keep(entry, reason, s[4])
  end
  bytes = bytes + #entry
end
log_save()
history_append(table.concat({ 'a', last, now, turn_id, status,
  cjson.encode({ content = content, reason = reason, usage = usage,
    attempt = tonumber(s[4]) }) }, ' '))
history_save()
if status == 'dead_lettered' then letter_trim(max_dead) end
seen_trim(max_seen)
redis.call('HINCRBY', state, 'bytes', -bytes)
redis.call('HSET', state, 'last_turn', turn_id, 'last_activity', now, 'committed_at', now)
head_forget()
if redis.call('LLEN', inbox) == 0 then
  redis.call('ZREM', pending, id)
  redis.call('HDEL', state, 'ring_mark')
  redis.call('ZADD', sessions, now, id)
  redis.call('ZADD', owned, now, id)
  expiry_set(now + resume_window)
elseif fetch == '1' and not stands_still() then
  redis.call('HSET', state, 'batch', head_size(), 'turn_id', next_turn_id, 'turn_word', 'begun',
    'attempt', 1, 'delta', 0, 'first_at', now)
  s[1] = next_turn_id
end
return what_follows()
