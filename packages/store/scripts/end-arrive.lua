-- Puts a SESSION_END record that was not copied to the global stream yet into its partition, once.
-- KEYS: move ends
-- ARGV: run record
-- REPLY: superseded | arrived
-- RULES: M3 D4 C2
if redis.call('GET', move) ~= run then return { 'superseded' } end
if not redis.call('LPOS', ends, record) then redis.call('RPUSH', ends, record) end
return { 'arrived' }
