-- The event log: dense seq from 1 (E1). `log_append` writes an event, before anything else that a script writes.
-- `log_save` comes after the last event: it stores where the log stands, and publishes.
-- NEEDS: s, clock; events messages server channel max_events max_log_bytes
--@include lines
local cursor, log_bytes = tonumber(s.cursor), tonumber(s.log_bytes or 0) -- bytes of all events ever logged
local history_own = tonumber(s.history_own or not s.log_low and s.history_bytes or 0) -- bytes of lines that name no event
local published = {}
--@include record
local function log_append(fields)
  for i = 1, #fields do
    if type(fields[i]) == 'number' then fields[i] = int(fields[i]) end
  end
  if s.server ~= server then -- another Redis process may have lost the tail (E2)
--@include epoch
    put('epoch_before', s.epoch)
    put('epoch_from', cursor)
    put('epoch', epoch_after(s.epoch))
    put('server', server)
  end
  -- Each event holds how many bytes were logged before it (`b`).
  local added = redis.pcall('XADD', events, int(cursor + 1) .. '-0', 'ts', now_text, 'b', int(log_bytes), unpack(fields))
  if type(added) == 'table' then -- refused: its place is taken, or nothing may be written now
    if string.find(added.err, 'equal or smaller', 1, true) then
      -- The log is ahead of the cursor: a script was cut short in the middle. What was logged stays.
      local newest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
      cursor = tonumber(string.match(newest[1], '^%d+'))
      log_bytes = tonumber(newest[2][4]) or log_bytes
      for i = 5, #newest[2] do log_bytes = log_bytes + #newest[2][i] end
    end
    redis.call('XADD', events, int(cursor + 1) .. '-0', 'ts', now_text, 'b', int(log_bytes), unpack(fields))
  end
  cursor = cursor + 1
  local text, bytes = record(s.epoch .. ' ' .. int(cursor) .. ' ' .. now_text, fields, 1)
  published[#published + 1], log_bytes = text, log_bytes + bytes
  return cursor
end
local function log_save()
  local low, floor = tonumber(s.log_low), tonumber(s.log_floor or 0)
  if not low or (cursor - low + 1) * 8 > max_events * 9 or log_bytes - floor > tonumber(max_log_bytes) then
--@include trim
    low, floor = log_trim()
  end
  put('cursor', cursor)
  put('log_bytes', log_bytes)
  put('log_low', low)
  put('log_floor', floor > 0 and floor)
  put('history_own', history_own > 0 and history_own)
  -- pcall: a missing right to the channel must not stop the script halfway; the log has the events anyway.
  if #published > 0 then redis.pcall('PUBLISH', channel, table.concat(published)) end
end
