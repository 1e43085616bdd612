-- Deletes a dead letter on request.
-- KEYS: letters dead dead_owned letter_call
-- ARGV: id message_id call
-- REPLY: not_found | dropped
-- RULES: T4
local ANSWER_KEPT = 60000
--@include letter
if redis.call('GET', letter_call) == call then return { 'dropped' } end -- its reply was lost
letters_read()
local number = redis.call('ZSCORE', dead, letter_id(message_id))
if not number then return { 'not_found' } end
letter_remove(number, message_id)
redis.call('SET', letter_call, call, 'PX', ANSWER_KEPT)
return { 'dropped' }
