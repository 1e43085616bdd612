-- An epoch: the time at which it is drawn in microseconds, later than the last one whatever the clock says
-- (E2). `..` keeps 14 digits, an epoch has 16.
local function epoch_after(last)
  return int(math.max(time[1] * 1000000 + time[2], (tonumber(last) or 0) + 1))
end
