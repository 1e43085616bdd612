-- Moves the time at which the sweep looks at leases that have just been renewed (C4).
-- NEEDS: clock; held ttl
redis.call('ZCARD', held) -- read before anything is written
local function held_move(ids)
  local scores, ends = {}, int(now + ttl)
  for _, id in ipairs(ids) do
    scores[#scores + 1], scores[#scores + 2] = ends, id
  end
  if #ids > 0 then redis.call('ZADD', held, 'XX', unpack(scores)) end
end
