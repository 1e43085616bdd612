-- A lease is live until the time that Redis wrote down with it, but never for longer than its TTL: one that
-- ends later was written before the clock of Redis was set back, and says nothing (L6). `r` is the state of a
-- session, as far as it is needed.
-- NEEDS: clock
local function lease_lives(r)
  local ends = tonumber(r.lease_until) or 0
  return r.holder and ends > now and not (r.lease_ttl and ends > now + r.lease_ttl)
end
