-- The pause number after a change: larger than `number`, and odd if that was even (pause.lua).
-- NEEDS: clock
local function pause_turned(number)
  return int(math.max(number + 1, 2 * now + (number + 1) % 2))
end
