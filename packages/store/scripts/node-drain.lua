-- Marks a node draining and counts the other live workers: of nodes that drain together the last one
-- finds nobody.
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
  -- One that is in the future was beaten before the clock was set back: it says nothing.
  if status == 'worker' and now - at < LIVE_MS and at - now <= BEAT_MS then others = others + 1 end
end
return { 'draining', others }
