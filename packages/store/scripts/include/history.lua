-- The history: the newest lines that fit max_messages and max_log_bytes; always the newest one.
-- NEEDS: s; messages max_messages max_log_bytes
local history_bytes = tonumber(s.history_bytes or 0)
local history_new = {}
local function history_append(line)
  table.insert(history_new, line)
  history_bytes = history_bytes + #line
end
local function history_save(lines_before)
  redis.call('RPUSH', messages, unpack(history_new))
  local lines = lines_before + #history_new
  while lines > tonumber(max_messages) or (history_bytes > tonumber(max_log_bytes) and lines > 1) do
    history_bytes = history_bytes - #redis.call('LPOP', messages)
    lines = lines - 1
  end
  put('history_bytes', history_bytes)
end
