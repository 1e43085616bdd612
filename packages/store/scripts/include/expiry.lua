-- All keys of an idle session expire at one moment; none of a session that has work or a holder does (C4). Giving the
-- lease up sets the time, or the sweep that finds the lease dead. A token without `due` is from layout 1, which set the
-- time under a lease too.
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
