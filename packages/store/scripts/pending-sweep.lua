-- Finds sessions whose work may begin and that have no live holder, and SESSION_END records that were not copied.
-- Removes expired sessions from the listings, and deletes dead letters that are too old. Damaged data is set aside and
-- named: a session for a minute, a list until the next sweep.
-- KEYS: pending held swept ends sessions dead paused_agents
-- ARGV: session_prefix owned_prefix interval resume_window call horizon
-- REPLY: early | swept <id ring ...> <SESSION_END records> <in how many ms the next is due, '' for none>
--        <now> <where why ...>
-- RULES: T5 T7 L6 C1 C2 D4 B1 P2 P3
local BACKOFF_MAX, MEMBERS, BLOCKS, ANSWER_KEPT = 60000, 100, 5, 5000
local RETRY_RUNG = 2000 -- time for the retry's own ring to be answered
local LETTER_KEPT = 30 * 24 * 3600 * 1000 -- a person has a month to look at it
--@include clock
--@include live
--@include pause
--@include stands
local LOOKED_AT = { 'lease_until', 'holder', 'sweeps', 'lease_ttl', 'batch', 'abort', 'retry_at', 'retry_delay',
  'paused', 'agent' }
local aside, rings, found_work = {}, {}, 0
local function try(where, act, ...)
  local done, why = pcall(act, ...)
  if done then return true end
  table.insert(aside, where)
  table.insert(aside, type(why) == 'table' and why.err or tostring(why))
end
--@include overdue-ends
local function next_due()
  local first = redis.call('ZRANGE', pending, 0, 0, 'WITHSCORES')
  return first[2] and int(math.max(0, first[2] - now)) or ''
end
local kept = redis.pcall('GET', swept)
local by, at, answer = string.match(type(kept) == 'string' and kept or '', '^(%S+) (%d+) (.*)$')
if by == call then -- its reply was lost
  local was = cjson.decode(answer)
  try('ends', overdue_ends)
  return { 'swept', was[1], overdue, was[2], now, aside }
end
if horizon ~= '0' and at and math.abs(now - at) < interval / 2 then return { 'early' } end
local function look(id)
  if redis.call('LLEN', inbox_of(id)) == 0 then return redis.call('ZREM', pending, id) end
  found_work = found_work + 1
  local state = state_of(id)
  local r, read = {}, redis.call('HMGET', state, unpack(LOOKED_AT))
  for at, field in ipairs(LOOKED_AT) do r[field] = read[at] end
  if lease_lives(r) then
    redis.call('ZADD', pending, r.lease_until, id)
  elseif retry_wait(r) > 0 then
    local due = now + retry_wait(r)
    if tonumber(r.retry_at) > due then redis.call('HSET', state, 'retry_at', due) end
    redis.call('ZADD', pending, due + RETRY_RUNG, id)
  else
    local sweeps, stands = tonumber(r.sweeps or 0), stands_still(r)
    redis.call('HSET', state, 'sweeps', sweeps + 1)
    redis.call('ZADD', pending, now + math.min(2000 * 2 ^ math.min(sweeps, 5), BACKOFF_MAX), id)
    if stands then return end
    local ring = redis.call('HINCRBY', state, 'ring', 1)
    redis.call('HSET', state, 'ring_mark', ring)
    table.insert(rings, id)
    table.insert(rings, ring)
  end
end
-- Nothing is due later than in `horizon` ms: such an entry was written before the clock was set back, and is due now.
for _, listing in ipairs({ pending, held }) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', listing, '(' .. now + horizon, '+inf',
    'LIMIT', 0, 10 * MEMBERS)) do redis.call('ZADD', listing, now, id) end
end
-- Sessions with work do not wait for those that are only removed from the list.
for _ = 1, BLOCKS do
  local due = redis.call('ZRANGEBYSCORE', pending, '-inf', now, 'LIMIT', 0, MEMBERS)
  for _, id in ipairs(due) do
    if not try(id, look, id) then redis.call('ZADD', pending, now + BACKOFF_MAX, id) end
  end
  if #due < MEMBERS or found_work >= MEMBERS then break end
end
--@include sweep-lists
local due = next_due()
if #rings + #overdue > 0 then -- else a repeat finds nothing either, and an idle cluster writes nothing
  local found = { call, now_text, cjson.encode({ rings, due }) }
  redis.call('SET', swept, table.concat(found, ' '), 'PX', math.floor(interval) + ANSWER_KEPT)
end
return { 'swept', rings, overdue, due, now, aside }
