-- A lease is live until the end that Redis stored with it, but never for longer than its TTL: a later end was stored
-- before the clock of Redis was set back, and does not count (L6). `r` has the fields of the state that are needed.
-- NEEDS: clock
local function lease_lives(r)
  local ends = tonumber(r.lease_until) or 0
  return r.holder and ends > now and not (r.lease_ttl and ends > now + r.lease_ttl)
end
