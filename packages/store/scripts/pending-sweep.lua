-- Finds sessions with work that may begin and no live holder, and SESSION_END records that nobody
-- copied; strikes sessions that have expired off the listings, and deletes dead letters too old.
-- KEYS: pending swept ends sessions dead paused_agents
-- ARGV: session_prefix owned_prefix interval resume_window call
-- REPLY: early | swept <id ring ...> <SESSION_END records> <in how many ms the next is due, '' for none>
-- RULES: T5 T7 C1 C2 D4 B1 P2 P3
local BACKOFF_MAX, ENDS_AGE, MEMBERS, ANSWER_KEPT = 60000, 5000, 100, 5000
local RETRY_RUNG = 2000 -- its own ring has so long to be answered
local LETTER_KEPT = 30 * 24 * 3600 * 1000 -- a person had a month to look at it
--@include clock
--@include pause
local function overdue_ends()
  local overdue = {}
  for _, record in ipairs(redis.call('LRANGE', ends, 0, MEMBERS - 1)) do
    if cjson.decode(record).ts < now - ENDS_AGE then table.insert(overdue, record) end
  end
  return overdue
end
local function next_due()
  local first = redis.call('ZRANGE', pending, 0, 0, 'WITHSCORES')
  return first[2] and string.format('%.0f', math.max(0, first[2] - now)) or ''
end
local by, at, answer = string.match(redis.call('GET', swept) or '', '^(%S+) (%d+) (.*)$')
if by == call then -- its reply was lost
  local was = cjson.decode(answer)
  return { 'swept', was[1], overdue_ends(), was[2] }
end
if at and now - at < interval / 2 then return { 'early' } end
local rings = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', pending, '-inf', now, 'LIMIT', 0, MEMBERS)) do
  local state = session_prefix .. id .. ':state'
  local s = redis.call('HMGET', state, 'lease_until', 'holder', 'sweeps')
  if redis.call('LLEN', session_prefix .. id .. ':inbox') == 0 then
    redis.call('ZREM', pending, id)
  elseif s[2] and tonumber(s[1] or 0) > now then
    redis.call('ZADD', pending, s[1], id)
  elseif retry_wait(state) > 0 then
    redis.call('ZADD', pending, now + retry_wait(state) + RETRY_RUNG, id)
  else
    local sweeps = tonumber(s[3] or 0)
    redis.call('HSET', state, 'sweeps', sweeps + 1)
    redis.call('ZADD', pending, now + math.min(2000 * 2 ^ math.min(sweeps, 5), BACKOFF_MAX), id)
    if not stands_still(state) then
      local ring = redis.call('HINCRBY', state, 'ring', 1)
      redis.call('HSET', state, 'ring_mark', ring)
      table.insert(rings, id)
      table.insert(rings, ring)
    end
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', sessions, '-inf', now - resume_window,
  'LIMIT', 0, MEMBERS)) do
  if redis.call('EXISTS', session_prefix .. id .. ':state') == 0 then
    redis.call('ZREM', sessions, id)
    redis.call('ZREM', owned_prefix .. string.sub(id, 1, 12), id)
  else redis.call('ZADD', sessions, now, id) end -- kept by its work: looked at again later
end
local too_old = string.format('%.0f', (now - LETTER_KEPT) * 1000)
for _, letter in ipairs(redis.call('ZRANGEBYSCORE', dead, '-inf', too_old, 'LIMIT', 0, MEMBERS)) do
  local letters = session_prefix .. string.match(letter, '^[^~]+') .. ':dead'
  local number = redis.call('ZSCORE', dead, letter)
  redis.call('ZREMRANGEBYSCORE', letters, number, number)
  redis.call('ZREM', owned_prefix .. string.sub(letter, 1, 12) .. ':dead', letter)
  redis.call('ZREM', dead, letter)
end
local overdue, due = overdue_ends(), next_due()
if #rings + #overdue > 0 then -- else a repeat finds as little, and an idle cluster writes nothing
  local found = { call, string.format('%.0f', now), cjson.encode({ rings, due }) }
  redis.call('SET', swept, table.concat(found, ' '), 'PX', math.floor(interval) + ANSWER_KEPT)
end
return { 'swept', rings, overdue, due }
