-- A lease is live until the time that Redis wrote down with it, but never for longer than its TTL: one that
-- ends later was written before the clock of Redis was set back, and says nothing (L6).
local function lease_lives(holder, lease_until, lease_ttl)
  local ends = tonumber(lease_until) or 0
  return holder and ends > now and not (lease_ttl and ends > now + lease_ttl)
end
