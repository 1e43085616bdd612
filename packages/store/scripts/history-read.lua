-- Returns the newest lines of the history that fit `max_bytes`, at least one, oldest first. Read-only (run as
-- EVALSHA_RO).
-- KEYS: messages events
-- ARGV: max_bytes
-- REPLY: read <lines>
-- RULES: B1
--@include lines
--@include lines-fill
local BLOCK = 16
local taken, bytes = {}, 0
local function take(lines)
  for i = #lines, 1, -1 do
    bytes = bytes + line_bytes(lines[i])
    if #taken > 0 and bytes > tonumber(max_bytes) then return false end
    table.insert(taken, lines[i])
  end
  return true
end
for to = redis.call('LLEN', messages) - 1, 0, -BLOCK do
  if not take(redis.call('LRANGE', messages, math.max(0, to - BLOCK + 1), to)) then break end
end
local read = {}
for i = #taken, 1, -1 do table.insert(read, taken[i]) end
return { 'read', lines_fill(read) }
