-- SESSION_END records that were not copied in time. One with a time in the future was written before the clock of Redis
-- was set back, and is overdue too (L6).
-- NEEDS: clock; ends MEMBERS
local ENDS_AGE = 5000
local overdue = {}
local function overdue_ends()
  for _, record in ipairs(redis.call('LRANGE', ends, 0, MEMBERS - 1)) do
    local is_read, data = pcall(cjson.decode, record)
    local at = is_read and type(data) == 'table' and tonumber(data.ts) or 0
    if at < now - ENDS_AGE or at > now then table.insert(overdue, record) end
  end
end
