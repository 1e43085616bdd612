-- Records a node's beat and returns the beats of all nodes. A node that is silent for a minute is removed.
-- KEYS: nodes
-- ARGV: node status info
-- REPLY: beaten <node status age_ms info ...> <now>
-- RULES: D2 E10
local FORGOTTEN_MS = 60000
--@include clock
redis.call('HSET', nodes, node, now .. ' ' .. status .. ' ' .. info)
local all, list = redis.call('HGETALL', nodes), {}
for i = 1, #all, 2 do
  local at, its_status, its_info = string.match(all[i + 1], '^(%d+) (%S+) (.*)$')
  if not at then -- not written by us: it is no node
  elseif now - at > FORGOTTEN_MS then redis.call('HDEL', nodes, all[i])
  else
    for _, field in ipairs({ all[i], its_status, now - at, its_info }) do
      table.insert(list, field)
    end
  end
end
return { 'beaten', list, now }
