-- How the next start of the head counts (T3, T4): its attempt, how many attempts were cut, and its word (`begun`,
-- `alone` or `exhausted`). An attempt that left neither `retry_at` nor `handed` died with its node.
-- NEEDS: s; max_attempts max_hand_overs
local function attempts_next()
  if not s.batch then return 1, 0, 'begun' end
  local attempt, word = tonumber(s.attempt), s.turn_word
  local cuts = tonumber(s.cuts or attempt - 1)
  if word == 'exhausted' then return attempt, cuts, word end -- no agent was called: nothing to repeat
  local handed_too_often = tonumber(s.hand_overs or 0) > tonumber(max_hand_overs)
  if s.handed and not handed_too_often then return attempt, cuts, word end
  if not s.retry_at then cuts = cuts + 1 end -- else `turn-retry` has counted it
  if cuts < tonumber(max_attempts) then return attempt + 1, cuts, 'begun' end
  -- All of them died with a process or a node, maybe because of another turn there: one last attempt, alone.
  if word ~= 'alone' and not handed_too_often then return attempt + 1, cuts, 'alone' end
  return attempt, cuts, 'exhausted'
end
