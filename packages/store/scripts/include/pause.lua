-- Pauses, of a session in its state and of agents in their hash (P1). Each is a number, odd while it
-- holds. It only grows, also when Redis lost its tail, so that a call that is repeated or overtaken, and
-- a copy that comes late, change nothing. `r` is the state of a session, as far as it is needed.
-- NEEDS: clock; paused_agents
local function pause_holds(number) return tonumber(number or 0) % 2 == 1 end
local function pause_turned(number)
  return int(math.max(number + 1, 2 * now + (number + 1) % 2))
end
local function is_paused(r)
  return pause_holds(r.paused) or r.agent and pause_holds(redis.call('HGET', paused_agents, r.agent))
end
-- No turn may begin: paused, and no abort was promised, for which no agent is asked (T6).
local function stands_still(r)
  return is_paused(r) and not (r.batch and r.abort)
end
-- For how long, in ms, the started head waits for another attempt (T5); an abort ends the wait. No longer than
-- it was meant to: one that ends later was written before the clock of Redis was set back (L6).
local function retry_wait(r)
  if not r.batch or r.abort or not r.retry_at then return 0 end
  return math.max(0, math.min(r.retry_at - now, tonumber(r.retry_delay) or math.huge))
end
