-- Expiry is whole: all keys of an idle session go at one moment, none of a session with work (C4), nor of one that
-- somebody holds: who gives the lease up, or the sweep that finds it dead, sets the time. A token without `due` is of
-- layout 1, which set it under a lease.
-- NEEDS: s, clock; state inbox events messages seen
local function expiry_set(at)
  for _, key in ipairs({ state, inbox, events, messages, seen }) do
    redis.call('PEXPIREAT', key, int(at))
  end
end
local function expiry_remove()
  if s.token and s.due or redis.call('PTTL', state) == -1 then return end
  for _, key in ipairs({ state, inbox, events, messages, seen }) do
    redis.call('PERSIST', key)
  end
end
