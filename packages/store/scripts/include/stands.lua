-- NEEDS: clock, pause
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
