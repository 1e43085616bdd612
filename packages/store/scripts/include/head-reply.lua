-- NEEDS: s; inbox
-- What the holder needs to run the started head; `word` begins the reply.
local function head_reply(word)
  local h = { s.fence, s.turn_id, s.attempt, s.abort, s.batch, s.epoch, s.cursor, s.agent, s.principal,
    s.session_id, s.pause, s.first_at, s.cut, s.last_turn }
  for i = 1, 14 do h[i] = h[i] and tostring(h[i]) or '' end
  return { word, h, redis.call('LRANGE', inbox, 0, tonumber(s.batch) - 1) }
end
