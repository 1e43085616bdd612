-- For messages that leave the inbox without a commit: the outcome of one entry, and the end of the session's work.
local function outcome_of(message_id) -- nil when the log has dropped it
  local at = string.format('%d-0', tonumber(redis.call('ZSCORE', seen, message_id) or 0))
  local fields = (redis.call('XRANGE', events, at, at)[1] or {})[2] or {}
  for i = 1, #fields, 2 do
    if fields[i] == 's' then return fields[i + 1] end
  end
end
local function leave(entry, outcome)
  local message_id, position = string.match(entry, '^(%S+) %d+ (%d+)')
  local seq = log_append({ 't', 'f', 'm', message_id, 'p', position, unpack(outcome) })
  redis.call('LREM', inbox, 1, entry)
  put('bytes', tonumber(s.bytes) - #entry)
  redis.call('ZADD', seen, seq, message_id)
end
local function leave_done() -- true: nothing waits any more
  log_save()
  seen_trim(redis.call('ZCARD', seen), max_seen)
  if redis.call('LLEN', inbox) > 0 then return false end
  put('ring_mark', false)
  put('handed_at', false)
  if not s.token then expiry_set(now + resume_window) end -- else its holder does when it gives up
  return true
end
