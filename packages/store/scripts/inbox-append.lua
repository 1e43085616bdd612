-- Accepts a message: dedupe, limits, inbox, log, and who must be told (a ring, or a live holder).
-- KEYS: state inbox events messages seen lease pending
-- ARGV: server channel node_channel id message_id body mode max_inbox max_inbox_bytes max_events
--       wakes_counted
-- REPLY: gone | ended | busy | full <limit> | duplicate <accepted seq> <ring> <its event>
--        | accepted <epoch> <seq> <now> <position> <ring>
-- RULES: S1 S3 S4 T1 T6 T7 C4
--@include clock
--@include log
--@include head
--@include seen
--@include expiry
if not cursor then return { 'gone' } end
local s = redis.call('HMGET', state, 'ended', 'bytes', 'batch', 'holder', 'lease_until', 'ring_mark')
if s[1] then return { 'ended' } end
local waiting = redis.call('LLEN', inbox)
local started = tonumber(s[3] or 0)
local live = s[4] and tonumber(s[5] or 0) > now
local known = redis.call('ZSCORE', seen, message_id)
if known then
  local seq = tonumber(known)
  local at = string.format('%.0f-0', seq >= WAITING and seq - WAITING or seq)
  local ring = seq >= WAITING and not live and s[6] or ''
  return { 'duplicate', string.format('%.0f', seq >= WAITING and seq - WAITING or 0), ring,
    redis.call('XRANGE', events, at, at)[1] or '' }
end
if mode == 'reject' and waiting > 0 then return { 'busy' } end
if waiting >= tonumber(max_inbox) then return { 'full', 'max_inbox' } end
local position = waiting
if mode == 'interrupt' then
  position = started
  local at = redis.call('LINDEX', inbox, position)
  while at and entry_mode(at) == 'interrupt' do
    position = position + 1
    at = redis.call('LINDEX', inbox, position)
  end
end
local entry = table.concat({ message_id, now, position, mode, body }, ' ')
if tonumber(s[2]) + #entry > tonumber(max_inbox_bytes) then return { 'full', 'max_inbox_bytes' } end

local next_entry = position < waiting and redis.call('LINDEX', inbox, position)
if next_entry then redis.call('LINSERT', inbox, 'BEFORE', next_entry, entry)
else redis.call('RPUSH', inbox, entry) end
local seq = log_append({ 't', 'a', 'm', message_id, 'p', position })
log_save()
redis.call('HINCRBY', state, 'bytes', #entry)
redis.call('HSET', state, 'accepted', 1, 'last_activity', now)
redis.call('ZADD', seen, string.format('%.0f', WAITING + seq), message_id)
expiry_remove()
local ring = ''
if live and started > 0 and mode == 'interrupt' then
  redis.call('HSETNX', state, 'abort', 'interrupt')
  redis.call('PUBLISH', node_channel .. s[4], 'abort ' .. id)
elseif live and started == 0 then -- a lingering holder, or nobody any more
  if redis.call('PUBLISH', node_channel .. s[4], 'wake ' .. id) == 0 and wakes_counted == '1' then
    redis.call('HDEL', state, 'holder', 'token')
    redis.call('DEL', lease)
    live = false
  else redis.call('ZADD', pending, s[5], id) end
end
if not live and s[6] then -- a ring is on its way; should it be lost, the sweep finds the session
  redis.call('ZADD', pending, 'LT', now + 2000, id)
elseif not live then
  ring = redis.call('HINCRBY', state, 'ring', 1)
  redis.call('HSET', state, 'ring_mark', ring)
  redis.call('ZADD', pending, now + 2000, id)
end
return { 'accepted', epoch, seq, now, position, ring }
