-- Takes a message that was not started out of the inbox, with outcome `cancelled`.
-- KEYS: state inbox events messages seen pending
-- ARGV: server channel id message_id max_events max_log_bytes max_seen resume_window
-- REPLY: not_found | not_pending | cancelled
-- RULES: S2 S3 C4
--@include clock
--@include log
--@include head
--@include seen
--@include expiry
local s = redis.call('HMGET', state, 'ended', 'batch')
if not cursor or s[1] then return { 'not_found' } end
local found
for i, entry in ipairs(redis.call('LRANGE', inbox, 0, -1)) do
  if i > tonumber(s[2] or 0) and entry_id(entry) == message_id then found = entry end
end
if not found then -- cancelled before (the reply was lost, say): the same answer
  local outcome = string.format('%.0f-0', tonumber(redis.call('ZSCORE', seen, message_id) or 0))
  local fields = (redis.call('XRANGE', events, outcome, outcome)[1] or {})[2] or {}
  for i = 1, #fields, 2 do
    if fields[i] == 's' and fields[i + 1] == 'cancelled' then return { 'cancelled' } end
  end
  return { 'not_pending' }
end
redis.call('LREM', inbox, 1, found)
local seq = log_append({ 't', 'f', 'm', message_id, 'p', string.match(found, '^%S+ %d+ (%d+)'),
  's', 'cancelled' })
log_save()
redis.call('ZADD', seen, seq, message_id)
seen_trim(max_seen)
redis.call('HINCRBY', state, 'bytes', -#found)
if redis.call('LLEN', inbox) == 0 then
  redis.call('ZREM', pending, id)
  redis.call('HDEL', state, 'ring_mark', 'handed_at')
  expiry_set(now + resume_window)
end
return { 'cancelled' }
