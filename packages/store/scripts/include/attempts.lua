-- What the next start of the head counts as (T3, T4): its attempt, how many attempts were cut, and the word
-- of the turn. Nobody ended an attempt that left neither `retry_at` nor `handed`: it died with its node.
local function attempts_next()
  local a = redis.call('HMGET', state, 'batch', 'attempt', 'cuts', 'turn_word', 'retry_at', 'handed',
    'hand_overs')
  if not a[1] then return 1, 0, 'begun' end
  local attempt, word = tonumber(a[2]), a[4]
  local cuts = tonumber(a[3] or attempt - 1)
  if word == 'exhausted' then return attempt, cuts, word end -- no agent was asked: nothing to repeat
  local handed_too_often = tonumber(a[7] or 0) > tonumber(max_hand_overs)
  if a[6] and not handed_too_often then return attempt, cuts, word end
  if not a[5] then cuts = cuts + 1 end -- else `turn-retry` has counted
  if cuts < tonumber(max_attempts) then return attempt + 1, cuts, 'begun' end
  -- All of them died with a process or a node, maybe with a neighbour's: one more, away from others.
  if word ~= 'alone' and not handed_too_often then return attempt + 1, cuts, 'alone' end
  return attempt, cuts, 'exhausted'
end
