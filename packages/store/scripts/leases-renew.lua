-- Extends leases of one partition. Each is checked by itself: one that is refused, or whose keys are damaged, does not
-- stop the others. The Redlock is extended in the same step if its key still has this lease's token. With a quorum it
-- was extended before, and the entry says whether: `1` or `0`. An entry without that has its Redlock here.
-- KEYS: held
-- ARGV: session_prefix leases ttl
-- REPLY: looked <fenced | ended | unlocked | damaged <why> | renewed <abort> <something waits>, of each>
-- RULES: L1 L3 L6 T6 T7 C2 C4
--@include clock
--@include held-move
local extended -- what the entry says of its Redlock
local function look(id, token, fence)
  local read = redis.call('HMGET', state_of(id), 'token', 'fence', 'ended', 'abort', 'cursor')
  local s = { token = read[1], fence = read[2] }
--@include fence
  if fenced and not read[5] then -- the session is gone: its Redlock must not block the next one
    if redis.call('GET', lease_of(id)) == token then redis.call('DEL', lease_of(id)) end
    return { 'ended' }
  end
  if fenced then return { read[3] and 'ended' or 'fenced' } end -- by D9
  local is_locked = extended == '1' or not extended and redis.call('GET', lease_of(id)) == token
  if not is_locked then return { 'unlocked' } end
  return { 'renewed', read[4] or '', redis.call('LLEN', inbox_of(id)) > 0 and 1 or 0 }
end
local replies, moved = {}, {}
for at, entry in ipairs(cjson.decode(leases)) do
  local id = entry[1]
  extended = entry[4]
  local done, answer = pcall(look, id, entry[2], entry[3])
  if not done then answer = { 'damaged', type(answer) == 'table' and answer.err or tostring(answer) } end
  if answer[1] == 'renewed' then
    if not extended then redis.call('PEXPIRE', lease_of(id), ttl) end -- first: a full Redis allows it, and then the rest
    redis.call('HSET', state_of(id), 'lease_until', int(now + ttl), 'lease_ttl', ttl)
    table.insert(moved, id)
  end
  replies[at] = answer
end
held_move(moved)
return { 'looked', replies }
