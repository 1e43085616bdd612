-- A session at one moment, with the newest page of its history or one further back; changes nothing
-- (run as EVALSHA_RO).
-- KEYS: state inbox events messages paused_agents
-- ARGV: before count max_bytes
-- REPLY: not_found | read <now> <state: field value ...> <inbox> <messages> <older> <oldest>
--        <paused>
-- RULES: E4 E7 B1
local BLOCK = 64
--@include clock
--@include pause
local fields = redis.call('HGETALL', state)
if #fields == 0 or redis.call('HEXISTS', state, 'ended') == 1 then return { 'not_found' } end
local first = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]

-- Walks back from the newest, in blocks: `before` is how a line begins, the page ends in front of it.
local taken, bytes, older, found = {}, 0, 0, before == ''
local function take(line)
  if #taken == tonumber(count) or #taken > 0 and bytes + #line > tonumber(max_bytes) then
    older = 1
    return false
  end
  table.insert(taken, line)
  bytes = bytes + #line
  return true
end
local function walk(lines)
  for i = #lines, 1, -1 do
    if not found then found = string.sub(lines[i], 1, #before) == before
    elseif not take(lines[i]) then return false end
  end
  return true
end
local to = tonumber(count) == 0 and -1 or redis.call('LLEN', messages) - 1
while to >= 0 do
  if not walk(redis.call('LRANGE', messages, math.max(0, to - BLOCK + 1), to)) then break end
  to = to - BLOCK
end
local page = {}
for i = #taken, 1, -1 do table.insert(page, taken[i]) end
return { 'read', now, fields, redis.call('LRANGE', inbox, 0, -1), page, older,
  first and string.match(first[1], '^%d+') or '0', is_paused() and 1 or 0 }
