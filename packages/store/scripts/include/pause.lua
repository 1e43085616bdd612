-- Pauses, of a session in its state and of agents in their hash (P1). Each is a number, odd while it
-- holds. It only grows, also when Redis lost its tail, so that a call that is repeated or overtaken, and
-- a copy that comes late, change nothing. `r` is the state of a session, as far as it is needed.
-- NEEDS: paused_agents
local function pause_holds(number) return tonumber(number or 0) % 2 == 1 end
local function is_paused(r)
  return pause_holds(r.paused) or r.agent and pause_holds(redis.call('HGET', paused_agents, r.agent))
end
