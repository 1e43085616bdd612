-- NEEDS: clock, pause
-- True if no turn may begin. A paused head with a promised abort may: it ends without calling the agent (T6).
local function stands_still(r)
  return is_paused(r) and not (r.batch and r.abort)
end
-- How long, in ms, the started head waits for another attempt (T5); an abort ends the wait. Never longer than
-- `retry_delay`: a later end was written before the clock of Redis was set back (L6).
local function retry_wait(r)
  if not r.batch or r.abort or not r.retry_at then return 0 end
  return math.max(0, math.min(r.retry_at - now, tonumber(r.retry_delay) or math.huge))
end
