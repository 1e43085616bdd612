-- Brings the pause of an agent, or its end, to a partition, where the scripts of sessions read it.
-- KEYS: paused_agents
-- ARGV: agent number
-- REPLY: copied
-- RULES: P1 P2
local copied = redis.call('HGET', paused_agents, agent) or 0
if tonumber(number) > tonumber(copied) then redis.call('HSET', paused_agents, agent, number) end
return { 'copied' }
