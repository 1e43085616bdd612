-- Removes a message that was not started from the inbox; its outcome is `cancelled`.
-- KEYS: state inbox events messages seen
-- ARGV: server channel id message_id max_events max_log_bytes max_seen resume_window
-- REPLY: not_found | not_pending | cancelled
-- RULES: S2 S3 C4
--@include clock
--@include log
--@include entry
--@include seen
--@include expiry
--@include leave
if not cursor or s.ended then return { 'not_found' } end
local score = tonumber(redis.call('ZSCORE', seen, message_id) or 0)
local function entry_find() -- from the end, in blocks: an inbox may hold megabytes
  local BLOCK, started = 8, tonumber(s.batch or 0)
  for to = redis.call('LLEN', inbox) - 1, started, -BLOCK do
    for _, entry in ipairs(redis.call('LRANGE', inbox, math.max(started, to - BLOCK + 1), to)) do
      if entry_id(entry) == message_id then return entry end
    end
  end
end
local found = score >= WAITING and entry_find()
if not found then -- cancelled before (the reply was lost, say): the same answer
  return { outcome_of(message_id) == 'cancelled' and 'cancelled' or 'not_pending' }
end
leave(found, { 's', 'cancelled' })
leave_done()
state_save()
return { 'cancelled' }
