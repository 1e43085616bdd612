-- An epoch is the time in microseconds at which it is drawn, and always later than the last one, whatever the clock
-- says (E2). It has 16 digits; `..` would keep 14.
local function epoch_after(last)
  return int(math.max(time[1] * 1000000 + time[2], (tonumber(last) or 0) + 1))
end
