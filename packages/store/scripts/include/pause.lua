-- Pauses, of a session in its state and of agents in their hash (P1). Each is a number, odd while it
-- holds. It only grows, also when Redis lost its tail, so that a call that is repeated or overtaken, and
-- a copy that comes late, change nothing.
local function pause_holds(number) return tonumber(number or 0) % 2 == 1 end
local function pause_turned(number)
  return string.format('%.0f', math.max(number + 1, 2 * now + (number + 1) % 2))
end
local function is_paused(of)
  local s = redis.call('HMGET', of or state, 'paused', 'agent')
  return pause_holds(s[1]) or s[2] and pause_holds(redis.call('HGET', paused_agents, s[2]))
end
-- No turn may begin: paused, and no abort was promised, for which no agent is asked (T6).
local function stands_still(of)
  if not is_paused(of) then return false end
  local s = redis.call('HMGET', of or state, 'batch', 'abort')
  return not (s[1] and s[2])
end
-- For how long, in ms, the started head waits for another attempt (T5); an abort ends the wait.
local function retry_wait(of)
  local s = redis.call('HMGET', of or state, 'batch', 'abort', 'retry_at')
  if not s[1] or s[2] or not s[3] then return 0 end
  return math.max(0, s[3] - now)
end
