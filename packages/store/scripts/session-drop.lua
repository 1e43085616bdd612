-- Removes the copy of a session that is no longer where it came from.
-- KEYS: move record inbox events messages seen sessions owned pending held
-- ARGV: run id
-- REPLY: superseded | dropped
-- RULES: M3 C2
if redis.call('GET', move) ~= run then return { 'superseded' } end
for _, listing in ipairs({ sessions, owned, pending, held }) do redis.call('ZCARD', listing) end -- before any write
redis.call('DEL', record, inbox, events, messages, seen)
for _, listing in ipairs({ sessions, owned, pending, held }) do redis.call('ZREM', listing, id) end
return { 'dropped' }
