-- Copies an agent's pause number to a partition, where the scripts of its sessions read it.
-- KEYS: paused_agents
-- ARGV: agent number
-- REPLY: copied
-- RULES: P1 P2
local copied = redis.call('HGET', paused_agents, agent) or 0
if tonumber(number) > tonumber(copied) then redis.call('HSET', paused_agents, agent, number) end
return { 'copied' }
