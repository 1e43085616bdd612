-- Aborts one message: the named one, or the head if none is named. If a live holder runs it, it is marked and the
-- holder is told. Any other message gets its outcome `aborted` here, without the agent. A repeated call gets its first
-- answer, and aborts nothing else.
-- KEYS: state inbox events messages seen pending paused_agents
-- ARGV: server channel node_channel id call message_id reason max_events max_log_bytes max_messages
--       max_seen resume_window
-- REPLY: not_found | idle | unknown <message_id> | ended <message_id> | aborting <message_id>
--        | aborted <message_id> <ring>, '' for none
-- RULES: S2 S3 T1 T6 T7 C4
local CALLS_KEPT = 16 -- `<call> <word> <ring> <message_id>` each, the newest first
--@include clock
--@include log
--@include entry
--@include head-forget
--@include due
--@include seen
--@include expiry
--@include history
--@include leave
--@include live
--@include pause
if not cursor then return { 'not_found' } end
local kept = {}
for line in string.gmatch(s.aborts or '', '[^\n]+') do
  local by, word, ring, stopped = string.match(line, '^(%S+) (%S+) (%d*) (%S*)$')
  if by == call then return { word, stopped, ring } end
  if #kept < CALLS_KEPT - 1 then table.insert(kept, line) end
end
if s.ended then return { 'not_found' } end
local function answer(word, stopped, ring)
  put('aborts', table.concat({ table.concat({ call, word, ring, stopped }, ' '), unpack(kept) }, '\n'))
  state_save()
  return { word, stopped, ring }
end

local started = tonumber(s.batch or 0)
local names_one = message_id ~= ''
local entries = redis.call('LRANGE', inbox, 0, names_one and -1 or math.max(started, 1) - 1)
local at = names_one and 0 or #entries
for i, entry in ipairs(entries) do
  if entry_id(entry) == message_id then at = i end
end
if at == 0 and not names_one then return answer('idle', '', '') end
if at == 0 then
  local word = redis.call('ZSCORE', seen, message_id) and 'ended' or 'unknown'
  return answer(outcome_of(message_id) == 'aborted' and 'aborted' or word, message_id, '')
end
local stopped, begun = entry_id(entries[at]), at <= started
if begun and lease_lives(s) then
  if not s.abort then put('abort', reason) end
  redis.pcall('PUBLISH', node_channel .. s.holder, 'abort ' .. id)
  return answer('aborting', stopped, '')
end

local lines, paused = redis.call('LLEN', messages), is_paused(s)
for _, key in ipairs({ seen, pending }) do redis.call('ZCARD', key) end -- read before anything is written
local first, last, reason = begun and 1 or at, begun and started or at, begun and s.abort or reason -- as one turn
local outcome = { 's', 'aborted', 'r', reason }
if begun then outcome = { 'u', s.turn_id, 'a', s.attempt, unpack(outcome) } end
local last_id = entry_id(entries[last])
for i = first, last do
  local merged = i < last and { 'i', last_id, unpack(outcome) }
  leave(entries[i], merged or outcome)
  history_message(entries[i])
end
history_reply(cursor, { reason })
history_save(lines)
for _, field in ipairs({ 'last_activity', 'committed_at' }) do put(field, now) end
if begun then -- its last holder is gone; if it comes back, its fence is refused
  head_forget()
  for _, field in ipairs({ 'holder', 'token' }) do put(field, false) end
end
local ring = ''
if not leave_done() and begun and not paused then
  ring = tonumber(s.ring or 0) + 1
  put('ring', ring)
  put('ring_mark', ring)
  due_set(now + 2000)
end
return answer('aborted', stopped, ring)
