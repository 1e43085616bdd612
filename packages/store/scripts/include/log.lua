-- The event log: dense seq from 1, record and publication in one (E1). `log_save` ends the script.
local log = redis.call('HMGET', state, 'cursor', 'epoch', 'server', 'log_bytes', 'log_floor')
local cursor, epoch, log_server = tonumber(log[1]), log[2], log[3]
local log_bytes = tonumber(log[4] or 0) -- of all events ever logged; each holds how many came before it
-- An event behind the cursor: a script was cut short in the middle. It was logged, and others follow it.
if cursor and redis.call('XRANGE', events, string.format('(%.0f-0', cursor), '+', 'COUNT', 1)[1] then
  local newest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
  cursor = tonumber(string.match(newest[1], '^%d+'))
  log_bytes = tonumber(newest[2][4]) or log_bytes
  for i = 5, #newest[2] do log_bytes = log_bytes + #newest[2][i] end
end
local function epoch_renew()
  local fresh = epoch_after(epoch)
  redis.call('HSET', state, 'epoch', fresh, 'epoch_before', epoch, 'epoch_from', cursor)
  epoch = fresh
end
local function log_append(fields)
  if log_server ~= server then -- another Redis process may have lost the tail (E2)
    epoch_renew()
    redis.call('HSET', state, 'server', server)
    log_server = server
  end
  cursor = cursor + 1
  redis.call('XADD', events, 'MAXLEN', '~', max_events, cursor .. '-0', 'ts', now,
    'b', string.format('%.0f', log_bytes), unpack(fields))
  for _, field in ipairs(fields) do log_bytes = log_bytes + #tostring(field) end
  -- pcall: a user without rights to the channel must not leave half of this; the log has it anyway.
  redis.pcall('PUBLISH', channel,
    epoch .. ' ' .. cursor .. ' ' .. now .. ' ' .. cjson.encode(fields))
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
  local floor = tonumber(log[5] or 0) -- what is known to be gone; max_events takes more
  if log_bytes - floor > tonumber(max_log_bytes) then floor = log_trim() end
  redis.call('HSET', state, 'cursor', cursor, 'log_bytes', string.format('%.0f', log_bytes),
    'log_floor', string.format('%.0f', floor))
end
