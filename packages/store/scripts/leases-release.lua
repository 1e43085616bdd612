-- Gives up leases of one partition whose inbox is empty. Each is checked by itself: one that is refused, or whose keys
-- are damaged, does not stop the others.
-- KEYS: held
-- ARGV: session_prefix leases resume_window
-- REPLY: looked <fenced | more | damaged <why> | released, of each>
-- RULES: L3 T7 D5 C2 C4
--@include clock
--@include compact
redis.call('ZCARD', held) -- read before anything is written
local function look(id, token, fence)
  local read = redis.call('HMGET', state_of(id), 'token', 'fence', 'released', 'released_ring',
    'released_end', 'log_bytes', 'log_floor')
  local s = { token = read[1], fence = read[2] }
--@include fence
  if fenced and read[3] == token .. ' ' .. fence and read[4] == '' and read[5] == '' then return { 'again' } end
  if fenced then return { 'fenced' } end
  if redis.call('LLEN', inbox_of(id)) > 0 then return { 'more' } end
  return { 'released', redis.call('GET', lease_of(id)) == token, read[6], read[7] }
end
local replies = {}
for at, entry in ipairs(cjson.decode(leases)) do
  local id = entry[1]
  local done, answer = pcall(look, id, entry[2], entry[3])
  if not done then answer = { 'damaged', type(answer) == 'table' and answer.err or tostring(answer) } end
  if answer[1] == 'released' then
    redis.call('HDEL', state_of(id), 'holder', 'token') -- first: a full Redis allows it, and then the rest
    redis.call('HSET', state_of(id), 'released', entry[2] .. ' ' .. entry[3],
      'released_ring', '', 'released_end', '', 'lease_until', 0)
    if answer[2] then redis.call('DEL', lease_of(id)) end
    redis.call('ZREM', held, id)
    for _, key in ipairs(expiring_of(id)) do -- all at one moment
      redis.call('PEXPIREAT', key, int(now + resume_window))
    end
    log_compact(events_of(id), answer[3], answer[4])
  end
  replies[at] = answer[1] == 'again' and { 'released' } or { answer[1], answer[1] == 'damaged' and answer[2] or nil }
end
return { 'looked', replies }
