-- Removes the copy of a dead letter that is no longer where it came from.
-- KEYS: move letters dead dead_owned
-- ARGV: run id message_id
-- REPLY: superseded | dropped
-- RULES: M3 T4 C2
--@include letter
if redis.call('GET', move) ~= run then return { 'superseded' } end
letters_read()
local number = redis.call('ZSCORE', dead, letter_id(message_id))
if number then letter_remove(number, message_id) end
return { 'dropped' }
