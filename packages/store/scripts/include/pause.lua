-- Pauses: that of a session is in its state, those of agents are in a hash (P1). Each is a number, odd while the pause
-- holds. It only grows, even when Redis lost its last writes; so a call that is repeated or overtaken, and a copy that
-- comes late, change nothing. `r` has the fields of the state that are needed.
-- NEEDS: paused_agents
local function pause_holds(number) return tonumber(number or 0) % 2 == 1 end
local function is_paused(r)
  return pause_holds(r.paused) or r.agent and pause_holds(redis.call('HGET', paused_agents, r.agent))
end
