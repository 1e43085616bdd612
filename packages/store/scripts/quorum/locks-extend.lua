-- At one member of a quorum: extends many Redlocks in one call, each if it still has its token. A key that is not there
-- is set again: this member has lost it, and its holder asks. Runs at members only, never in the data Redis.
-- KEYS: the keys of the Redlocks
-- ARGV: ttl, then the token of each key
-- REPLY: of each key: extended | restored | another
local replies = {}
for at, key in ipairs(KEYS) do
  local token, found = ARGV[at + 1], redis.call('GET', key)
  if found == token then
    redis.call('PEXPIRE', key, ARGV[1])
    replies[at] = 'extended'
  elseif found then
    replies[at] = 'another'
  else
    redis.call('SET', key, token, 'PX', ARGV[1])
    replies[at] = 'restored'
  end
end
return replies
