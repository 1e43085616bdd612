-- Marks a node as draining and counts the other live workers. When nodes drain together, the last one counts none.
-- KEYS: nodes
-- ARGV: node info
-- REPLY: draining <other live workers>
-- RULES: D2
local LIVE_MS, BEAT_MS = 3000, 1000
--@include clock
redis.call('HSET', nodes, node, now .. ' draining ' .. info)
local all, others = redis.call('HGETALL', nodes), 0
for i = 1, #all, 2 do
  local at, status = string.match(all[i + 1], '^(%d+) (%S+)')
  -- A beat in the future was written before the clock was set back: it proves nothing.
  if status == 'worker' and now - at < LIVE_MS and at - now <= BEAT_MS then others = others + 1 end
end
return { 'draining', others }
