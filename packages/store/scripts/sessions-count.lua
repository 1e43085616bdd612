-- Counts the sessions of a principal in one partition, and removes expired ones from the listings.
-- KEYS: owned sessions
-- ARGV: session_prefix
-- REPLY: counted <number>
-- RULES: B1
local gone, count = {}, 0
for _, id in ipairs(redis.call('ZRANGE', owned, 0, -1)) do
  if redis.call('EXISTS', state_of(id)) == 1 then count = count + 1
  else table.insert(gone, id) end
end
redis.call('ZCARD', sessions) -- read before anything is written
for _, id in ipairs(gone) do
  redis.call('ZREM', owned, id)
  redis.call('ZREM', sessions, id)
end
return { 'counted', count }
