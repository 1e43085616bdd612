-- Returns the bytes that a principal's sessions keep in one partition: inboxes, logs, and texts that only the history
-- holds. Read-only (run as EVALSHA_RO).
-- KEYS: owned
-- ARGV: session_prefix
-- REPLY: measured <bytes>
-- RULES: B1 E7
local bytes = 0
for _, id in ipairs(redis.call('ZRANGE', owned, 0, -1)) do
  local s = redis.call('HMGET', state_of(id), 'bytes', 'history_own', 'log_bytes', 'log_low',
    'history_bytes')
  local first = s[3] and redis.call('XRANGE', events_of(id), '-', '+', 'COUNT', 1)[1]
  -- Each event says how many bytes were logged before it: ts <ms> b <bytes> ...
  local logged = first and tonumber(s[3]) - tonumber(first[2][4]) or 0
  bytes = bytes + (tonumber(s[1]) or 0) + (tonumber(s[2] or not s[4] and s[5]) or 0) + logged
end
return { 'measured', int(bytes) }
