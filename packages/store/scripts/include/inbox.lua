-- Accepting a message: its limits, its place, and who must be told (a ring, or a live holder).
local s = redis.call('HMGET', state, 'ended', 'bytes', 'batch', 'holder', 'lease_until', 'ring_mark',
  'lease_ttl')
local waiting = redis.call('LLEN', inbox)
local started = tonumber(s[3] or 0)
local live = s[4] and tonumber(s[5] or 0) > now
local function inbox_entry(message_id, position, mode, body)
  return table.concat({ message_id, now, position, mode, body }, ' ')
end
-- The limit that keeps the entry out, if any (S4).
local function inbox_full(entry)
  if waiting >= tonumber(max_inbox) then return 'max_inbox' end
  if tonumber(s[2]) + #entry > tonumber(max_inbox_bytes) then return 'max_inbox_bytes' end
end
-- Answers the acceptance and the number of the ring to add, '' when none is due.
local function inbox_put(message_id, position, mode, entry)
  local next_entry = position < waiting and redis.call('LINDEX', inbox, position)
  if next_entry then redis.call('LINSERT', inbox, 'BEFORE', next_entry, entry)
  else redis.call('RPUSH', inbox, entry) end
  local paused = is_paused()
  local accepted = { 't', 'a', 'm', message_id, 'p', position }
  if paused then accepted[7], accepted[8] = 'w', 1 end -- it waits: no turn begins
  local seq = log_append(accepted)
  log_save()
  redis.call('HINCRBY', state, 'bytes', #entry)
  redis.call('HSET', state, 'accepted', 1, 'last_activity', now)
  redis.call('ZADD', seen, string.format('%.0f', WAITING + seq), message_id)
  expiry_remove()
  local ring = ''
  if started > 0 and mode == 'interrupt' then
    if retry_wait() > 0 then s[6] = false end -- its ring comes only when the wait would have ended
    redis.call('HSETNX', state, 'abort', 'interrupt')
    if live then redis.pcall('PUBLISH', node_channel .. s[4], 'abort ' .. id) end
  elseif live and started == 0 then -- a lingering holder, or nobody any more
    local heard = redis.pcall('PUBLISH', node_channel .. s[4], 'wake ' .. id)
    if (heard == 0 or type(heard) == 'table') and wakes_counted == '1' then
      redis.call('HDEL', state, 'holder', 'token')
      redis.call('DEL', lease)
      live = false
    else redis.call('ZADD', pending, math.min(s[5], now + (s[7] or s[5])), id) end
  end
  if not live and s[6] then -- a ring is on its way; should it be lost, the sweep finds the session
    redis.call('ZADD', pending, 'LT', now + 2000, id)
  elseif not live then
    if not stands_still() then
      ring = redis.call('HINCRBY', state, 'ring', 1)
      redis.call('HSET', state, 'ring_mark', ring)
    end
    redis.call('ZADD', pending, now + 2000, id)
  end
  return { 'accepted', epoch, seq, now, position, ring, paused and 1 or 0 }
end
