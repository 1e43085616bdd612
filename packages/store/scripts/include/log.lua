-- The event log: dense seq from 1, record and publication in one (E1). `log_save` ends the script.
local log = redis.call('HMGET', state, 'cursor', 'epoch', 'server')
local cursor, epoch, log_server = tonumber(log[1]), log[2], log[3]
local function epoch_renew()
  -- `..` keeps 14 digits, an epoch has 16.
  local fresh = time[1] .. string.format('%06d', time[2])
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
  redis.call('XADD', events, 'MAXLEN', '~', max_events, cursor .. '-0', 'ts', now, unpack(fields))
  redis.call('PUBLISH', channel,
    epoch .. ' ' .. cursor .. ' ' .. now .. ' ' .. cjson.encode(fields))
  return cursor
end
local function log_save()
  redis.call('HSET', state, 'cursor', cursor)
end
