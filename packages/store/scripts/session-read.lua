-- The whole of a session at one moment; changes nothing (run as EVALSHA_RO).
-- KEYS: state inbox events messages
-- ARGV: messages_from messages_to
-- REPLY: not_found | read <now> <state: field value ...> <inbox> <messages> <oldest>
-- RULES: E4 E7
--@include clock
local fields = redis.call('HGETALL', state)
if #fields == 0 or redis.call('HEXISTS', state, 'ended') == 1 then return { 'not_found' } end
local first = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
return { 'read', now, fields, redis.call('LRANGE', inbox, 0, -1),
  redis.call('LRANGE', messages, messages_from, messages_to),
  first and string.match(first[1], '^%d+') or '0' }
