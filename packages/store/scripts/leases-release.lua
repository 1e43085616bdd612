-- Gives up leases of one partition whose inbox is empty. Each is checked by itself: one that is refused, or whose keys
-- are damaged, does not stop the others.
-- KEYS: held
-- ARGV: session_prefix leases resume_window
-- REPLY: looked <fenced | more | damaged <why> | released, of each>
-- RULES: L3 T7 D5 C2 C4
--@include clock
--@include compact
redis.call('ZCARD', held) -- read before anything is written
local function look(own, token, fence)
  local read = redis.call('HMGET', own .. ':state', 'token', 'fence', 'released', 'released_ring',
    'released_end', 'log_bytes', 'log_floor')
  local s = { token = read[1], fence = read[2] }
--@include fence
  if fenced and read[3] == token .. ' ' .. fence and read[4] == '' and read[5] == '' then return { 'again' } end
  if fenced then return { 'fenced' } end
  if redis.call('LLEN', own .. ':inbox') > 0 then return { 'more' } end
  return { 'released', redis.call('GET', own .. ':lease') == token, read[6], read[7] }
end
local replies = {}
for at, entry in ipairs(cjson.decode(leases)) do
  local own = session_prefix .. entry[1]
  local done, answer = pcall(look, own, entry[2], entry[3])
  if not done then answer = { 'damaged', type(answer) == 'table' and answer.err or tostring(answer) } end
  if answer[1] == 'released' then
    redis.call('HDEL', own .. ':state', 'holder', 'token') -- first: a full Redis allows it, and then the rest
    redis.call('HSET', own .. ':state', 'released', entry[2] .. ' ' .. entry[3],
      'released_ring', '', 'released_end', '', 'lease_until', 0)
    if answer[2] then redis.call('DEL', own .. ':lease') end
    redis.call('ZREM', held, entry[1])
    for _, key in ipairs({ 'state', 'inbox', 'events', 'messages', 'seen' }) do -- all at one moment
      redis.call('PEXPIREAT', own .. ':' .. key, int(now + resume_window))
    end
    log_compact(own .. ':events', answer[3], answer[4])
  end
  replies[at] = answer[1] == 'again' and { 'released' } or { answer[1], answer[1] == 'damaged' and answer[2] or nil }
end
return { 'looked', replies }
