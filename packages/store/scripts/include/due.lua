-- When the sweep looks at the session: early is right, late never (T7). Only the sweep strikes off one that has no
-- work; until then a message that comes under the same lease finds it listed.
-- NEEDS: s; pending id
local function due_set(at)
  put('due', at)
  redis.call('ZADD', pending, s.due, id)
end
