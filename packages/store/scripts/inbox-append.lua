-- Accepts a message: dedupe, limits, inbox, log. Then it tells a live holder, or draws a ring. If the holder lingers,
-- the turn of the message begins here.
-- KEYS: state inbox events messages seen lease pending paused_agents
-- ARGV: server channel node_channel id message_id body mode max_inbox max_inbox_bytes max_events max_log_bytes
--       wakes_counted call turn_id
-- REPLY: gone | ended | busy | full <limit>
--        | duplicate <waiting> <ring> <record of its event> <kept position> <kept reply>
--        | accepted <epoch> <seq> <now> <position> <ring> <paused> <the log has the text> <fence> <agent>
-- RULES: S1 S3 S4 T1 T3 T6 T7 C4 P1
if not s.cursor then return { 'gone' } end
--@include clock
--@include log
--@include entry
--@include seen
--@include expiry
--@include pause
--@include due
--@include inbox
local known = redis.call('ZSCORE', seen, message_id)
if known or s.ended then
--@include call-answer
end
if s.ended then return { 'ended' } end
if known then
--@include kept
  local seq = tonumber(known)
  local is_waiting = seq >= WAITING
  local at = string.format('%d-0', is_waiting and seq - WAITING or seq)
  local ring = is_waiting and not live and s.ring_mark or ''
  local event, position, reply = redis.call('XRANGE', events, at, at)[1], '0', ''
--@include record-logged
  if not event and is_waiting then position = kept_position()
  elseif not event then position, reply = kept_reply() end
  return { 'duplicate', is_waiting and 1 or 0, ring, event and record_logged(event) or '', position, reply }
end
if mode == 'reject' and waiting > 0 then return { 'busy' } end
local position = waiting
if mode == 'interrupt' then
  position = started
  local at = redis.call('LINDEX', inbox, position)
  while at and entry_mode(at) == 'interrupt' do
    position = position + 1
    at = redis.call('LINDEX', inbox, position)
  end
end
local entry = inbox_entry(message_id, position, mode, body)
local limit = inbox_full(entry)
if limit then return { 'full', limit } end
local answer = inbox_put(message_id, position, mode, entry, turn_id)
--@include call-keep
state_save()
return answer
