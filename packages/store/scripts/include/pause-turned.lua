-- NEEDS: clock
local function pause_turned(number)
  return int(math.max(number + 1, 2 * now + (number + 1) % 2))
end
