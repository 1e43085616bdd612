-- At one member of a quorum: deletes many Redlocks in one call, each if it still has its token.
-- KEYS: the keys of the Redlocks
-- ARGV: the token of each key
-- REPLY: how many were deleted
local count = 0
for at, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[at] then count = count + redis.call('DEL', key) end
end
return count
