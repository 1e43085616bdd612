-- The event log: dense seq from 1 (E1). `log_append` writes an event, the first thing that a script writes;
-- `log_save` notes behind the last one where the log stands, and publishes.
-- NEEDS: s, clock; events server channel max_events max_log_bytes
local cursor, log_bytes = tonumber(s.cursor), tonumber(s.log_bytes or 0) -- bytes of all events ever logged
local published = {}
local function epoch_renew()
  put('epoch_before', s.epoch)
  put('epoch_from', cursor)
  put('epoch', epoch_after(s.epoch))
end
-- The log is ahead of the cursor: a script was cut short in the middle. What was logged stays.
local function log_mend()
  local newest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
  cursor = tonumber(string.match(newest[1], '^%d+'))
  log_bytes = tonumber(newest[2][4]) or log_bytes
  for i = 5, #newest[2] do log_bytes = log_bytes + #newest[2][i] end
end
local function log_add(run, fields) -- each event holds how many bytes came before it
  return run('XADD', events, 'MAXLEN', '~', max_events, string.format('%.0f-0', cursor + 1),
    'ts', now, 'b', string.format('%.0f', log_bytes), unpack(fields))
end
local function log_append(fields)
  for i, field in ipairs(fields) do fields[i] = tostring(field) end
  if s.server ~= server then -- another Redis process may have lost the tail (E2)
    epoch_renew()
    put('server', server)
  end
  local added = log_add(redis.pcall, fields)
  if type(added) == 'table' then -- refused: its place is taken, or nothing may be written now
    if string.find(added.err, 'equal or smaller', 1, true) then log_mend() end
    log_add(redis.call, fields)
  end
  cursor = cursor + 1
  local lengths = {}
  for i, field in ipairs(fields) do
    log_bytes, lengths[i] = log_bytes + #field, #field
  end
  table.insert(published, s.epoch .. ' ' .. cursor .. ' ' .. now .. ' ' .. table.concat(lengths, ',') .. '\n')
  table.insert(published, table.concat(fields)) -- as bytes, whose lengths were said: nobody escapes or parses them
  return cursor
end
-- Drops the oldest events until 7/8 of the limit are left, so that it is seldom done; never the newest.
local function log_trim()
  local function start_of(seq)
    local at = string.format('%.0f-0', seq)
    return tonumber(redis.call('XRANGE', events, at, at)[1][2][4]) or 0
  end
  local oldest = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1][1]
  local low, high = tonumber(string.match(oldest, '^%d+')), cursor
  if log_bytes - start_of(low) > tonumber(max_log_bytes) then
    while low < high do
      local middle = math.floor((low + high) / 2)
      if log_bytes - start_of(middle) > max_log_bytes * 7 / 8 then low = middle + 1
      else high = middle end
    end
    redis.call('XTRIM', events, 'MINID', string.format('%.0f-0', low))
  end
  return start_of(low)
end
local function log_save()
  local floor = tonumber(s.log_floor or 0) -- what is known to be gone; max_events takes more
  if log_bytes - floor > tonumber(max_log_bytes) then floor = log_trim() end
  put('cursor', cursor)
  put('log_bytes', log_bytes)
  put('log_floor', floor)
  -- pcall: a user without rights to the channel must not leave half of this; the log has it anyway.
  if #published > 0 then redis.pcall('PUBLISH', channel, table.concat(published)) end
end
