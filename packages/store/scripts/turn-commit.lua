-- Ends a turn: outcome, history, log and publication, and the next turn or idleness, in one step.
-- KEYS: state inbox events messages seen paused_agents sessions owned letters dead dead_owned
-- ARGV: token fence server channel id turn_id next_turn_id fetch status reason content usage
--       trailing max_events max_log_bytes max_messages max_seen max_dead
-- REPLY: fenced | idle | more | next <head> <entries>
-- RULES: S2 S3 L3 T1 T2 T4 T6 E1 P1
--@include fence
if fenced then return { 'fenced' } end
--@include clock
--@include log
--@include entry
--@include head-forget
--@include head-reply
--@include seen
--@include history
--@include pause
if s.last_turn == turn_id then -- its reply was lost; it has begun the next turn, or a later message has
  if s.batch then return head_reply('next') end
  return { redis.call('LLEN', inbox) == 0 and 'idle' or 'more' }
end
if s.turn_id ~= turn_id or not s.batch then return { 'fenced' } end
if s.abort and status ~= 'aborted' then status, reason = 'aborted', s.abort end -- the abort was promised
local batch, lines, ids = redis.call('LRANGE', inbox, 0, s.batch), redis.call('LLEN', messages),
  redis.call('ZCARD', seen)
local next_first = table.remove(batch, s.batch + 1)
local begins = next_first and fetch == '1' and not is_paused(s)
local listings = { sessions, owned } -- moved at most once a minute
if math.floor((s.committed_at or 0) / 60000) == math.floor(now / 60000) then listings = {} end
if status == 'dead_lettered' then listings = { sessions, owned, letters, dead, dead_owned } end
for _, key in ipairs(listings) do redis.call('ZCARD', key) end -- read before anything is written

for _, fields in ipairs(trailing == '[]' and {} or cjson.decode(trailing)) do
  for _, field in ipairs({ 'u', turn_id, 'a', s.attempt }) do table.insert(fields, field) end
  log_append(fields)
end
local last = entry_id(batch[#batch])
local bytes, outcomes = 0, {}
for i, entry in ipairs(batch) do
  local message_id, position = entry_id(entry), string.match(entry, '^%S+ %d+ (%d+)')
  local final, n = { 't', 'f', 'm', message_id, 'u', turn_id, 'c', i == #batch and content or '' }, 8
  if position ~= '0' then final[n + 1], final[n + 2], n = 'p', position, n + 2 end
  if s.attempt ~= '1' then final[n + 1], final[n + 2], n = 'a', s.attempt, n + 2 end
  if status ~= 'ok' then final[n + 1], final[n + 2], n = 's', status, n + 2 end
  if reason ~= '' then final[n + 1], final[n + 2], n = 'r', reason, n + 2 end
  if i < #batch then final[n + 1], final[n + 2] = 'i', last
  elseif usage ~= '' then final[n + 1], final[n + 2] = 'g', usage end
  outcomes[2 * i - 1], outcomes[2 * i] = int(log_append(final)), message_id
  bytes = bytes + #entry
end
redis.call('LPOP', inbox, #batch)
redis.call('ZADD', seen, unpack(outcomes))
log_save()
for _, entry in ipairs(batch) do history_message(entry) end
history_reply(cursor, { content, reason, usage })
history_save(lines)
if status == 'dead_lettered' then
--@include letter
  for _, entry in ipairs(batch) do letter_keep(entry, reason, s.attempt) end
  letter_trim(max_dead)
end
seen_trim(ids, max_seen)
put('bytes', tonumber(s.bytes) - bytes)
if #listings > 0 then
  redis.call('ZADD', sessions, now_text, id)
  redis.call('ZADD', owned, now_text, id)
end
put('last_turn', turn_id)
for _, field in ipairs({ 'last_activity', 'committed_at' }) do put(field, now) end
head_forget()
local answer = 'more'
if not next_first then
  put('ring_mark', false)
  answer = 'idle'
elseif begins then
--@include head-start
  head_start(next_turn_id, next_first)
  answer = 'next'
end
state_save()
return answer == 'next' and head_reply(answer) or { answer }
