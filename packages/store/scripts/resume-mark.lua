-- Notes how far a connection that tracks no cursor has been served.
-- KEYS: state
-- ARGV: connection process seq gone
-- REPLY: not_found | marked
-- RULES: E10
--@include clock
local s = redis.call('HMGET', state, 'cursor', 'ended')
if not s[1] or s[2] then return { 'not_found' } end
redis.call('HSET', state, 'mark:' .. connection,
  table.concat({ process, seq, gone, now }, ' '))
return { 'marked' }
