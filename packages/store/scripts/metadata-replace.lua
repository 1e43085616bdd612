-- Replaces a session's metadata, unless somebody else did meanwhile; its expiry stays as it is.
-- KEYS: state
-- ARGV: known metadata
-- REPLY: not_found | changed <metadata> | replaced
-- RULES: C4
local s = redis.call('HMGET', state, 'metadata', 'ended')
if not s[1] or s[2] then return { 'not_found' } end
if s[1] == metadata then return { 'replaced' } end -- also when its reply was lost
if s[1] ~= known then return { 'changed', s[1] } end
redis.call('HSET', state, 'metadata', metadata)
return { 'replaced' }
