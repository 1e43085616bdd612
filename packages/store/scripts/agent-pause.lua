-- Pauses or resumes an agent: changes its pause number, the one that counts. Partitions have copies (`pause-copy`).
-- KEYS: paused_agents
-- ARGV: agent pause known
-- REPLY: set <number>
-- RULES: P1 P2
--@include clock
--@include pause
--@include pause-turned
local number = redis.call('HGET', paused_agents, agent) or '0'
if number == known and pause_holds(number) ~= (pause == '1') then
  number = pause_turned(number)
  redis.call('HSET', paused_agents, agent, number)
end
return { 'set', number }
