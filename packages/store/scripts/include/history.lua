-- The history: the newest lines that fit max_messages and max_log_bytes; always the newest one.
local history_bytes = tonumber(redis.call('HGET', state, 'history_bytes') or 0)
local function history_append(line)
  redis.call('RPUSH', messages, line)
  history_bytes = history_bytes + #line
end
local function history_save()
  local lines = redis.call('LLEN', messages)
  while lines > tonumber(max_messages) or (history_bytes > tonumber(max_log_bytes) and lines > 1) do
    history_bytes = history_bytes - #redis.call('LPOP', messages)
    lines = lines - 1
  end
  redis.call('HSET', state, 'history_bytes', string.format('%.0f', history_bytes))
end
