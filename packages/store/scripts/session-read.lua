-- Returns a session at one moment, with the head of its inbox and one page of its history: the newest, or the one
-- before the line `before`. Read-only (run as EVALSHA_RO).
-- KEYS: state inbox events messages paused_agents
-- ARGV: before count max_bytes inbox_bytes
-- REPLY: not_found | read <now> <state: field value ...> <inbox> <messages> <older> <oldest>
--        <paused> <inbox length>
-- RULES: E4 E7 B1
local BLOCK = 16
--@include clock
--@include pause
--@include lines
--@include lines-fill
if not s.agent or s.ended then return { 'not_found' } end
local fields = {} -- only those that readers need: the state also has resume marks and answers of calls
for name, value in pairs({ principal = s.principal, holder = s.holder, lease_until = s.lease_until,
  hand_overs = s.hand_overs, abort = s.abort, ring_mark = s.ring_mark, session_id = s.session_id,
  agent = s.agent, created_at = s.created_at, last_activity = s.last_activity, epoch = s.epoch,
  metadata = s.metadata, cursor = s.cursor, batch = s.batch, fence = s.fence,
  attempt = s.batch and s.attempt,
  lease_ttl = s.lease_ttl }) do
  if value then
    table.insert(fields, name)
    table.insert(fields, value)
  end
end
local first = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]

-- Always the first entry, then as many as fit.
local pending, length, inbox_taken = {}, redis.call('LLEN', inbox), 0
local function take_entry(entry)
  inbox_taken = inbox_taken + #entry
  if #pending > 0 and inbox_taken > tonumber(inbox_bytes) then return false end
  table.insert(pending, entry)
  return true
end
local function take_entries(entries)
  for _, entry in ipairs(entries) do
    if not take_entry(entry) then return false end
  end
  return true
end
for from = 0, length - 1, BLOCK do
  if not take_entries(redis.call('LRANGE', inbox, from, from + BLOCK - 1)) then break end
end

-- Walks back from the newest line, in blocks. The page ends before the line that begins with `before`.
local taken, bytes, older, found = {}, 0, 0, before == ''
local function take(line)
  if #taken == tonumber(count) or #taken > 0 and bytes + line_bytes(line) > tonumber(max_bytes) then
    older = 1
    return false
  end
  table.insert(taken, line)
  bytes = bytes + line_bytes(line)
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
return { 'read', now, fields, pending, lines_fill(page), older,
  first and string.match(first[1], '^%d+') or '0', is_paused(s) and 1 or 0, length }
