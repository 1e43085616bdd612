-- Marks the started head for abortion and tells its holder, or the sweep; never touches a later turn.
-- KEYS: state pending
-- ARGV: node_channel id reason
-- REPLY: not_found | no_active_turn | aborting <turn_id>
-- RULES: T6
--@include clock
local s = redis.call('HMGET', state, 'batch', 'holder', 'turn_id', 'ended', 'cursor', 'lease_until')
if not s[5] or s[4] then return { 'not_found' } end
if not s[1] then return { 'no_active_turn' } end
redis.call('HSETNX', state, 'abort', reason)
if not s[2] or tonumber(s[6] or 0) <= now then -- also of a session that is paused: the sweep rings
  redis.call('ZADD', pending, 'XX', now, id)
end
if s[2] then redis.call('PUBLISH', node_channel .. s[2], 'abort ' .. id) end
return { 'aborting', s[3] }
