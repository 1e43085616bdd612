-- When the sweep looks at the session: it may be too early, never too late (T7). Only the sweep removes a session that
-- has no work from the list; until then a message that comes under the same lease finds it listed.
-- NEEDS: s; pending id
local function due_set(at)
  put('due', at)
  redis.call('ZADD', pending, s.due, id)
end
