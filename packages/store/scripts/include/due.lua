-- When the sweep looks at sessions that have just been renewed: at the end of their leases, for work (T7) and for a
-- holder that died idle (C4).
-- NEEDS: clock; pending held ttl
for _, listing in ipairs({ pending, held }) do redis.call('ZCARD', listing) end -- read before anything is written
local function due_move(ids)
  local scores, ends = {}, int(now + ttl)
  for _, id in ipairs(ids) do
    scores[#scores + 1], scores[#scores + 2] = ends, id
  end
  if #ids == 0 then return end
  for _, listing in ipairs({ pending, held }) do redis.call('ZADD', listing, 'XX', unpack(scores)) end
end
