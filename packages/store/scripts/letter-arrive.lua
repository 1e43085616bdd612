-- Puts a copy of a dead letter in its place, under its number, or the next one that is free in this partition.
-- KEYS: move letters dead dead_owned
-- ARGV: run id message_id number text
-- REPLY: superseded | arrived <it was there already>
-- RULES: M3 T4 C2
--@include letter
if redis.call('GET', move) ~= run then return { 'superseded' } end
letters_read()
local earlier = redis.call('ZSCORE', dead, letter_id(message_id))
if earlier then
  if letter_read(earlier) == text and redis.call('ZSCORE', dead_owned, letter_id(message_id)) then
    return { 'arrived', 1 }
  end
  letter_remove(earlier, message_id)
end
local free = tonumber(number)
while redis.call('ZCOUNT', dead, free, free) > 0 do free = free + 1 end
redis.call('ZADD', letters, string.format('%d', free), text)
redis.call('ZADD', dead, string.format('%d', free), letter_id(message_id))
redis.call('ZADD', dead_owned, string.format('%d', free), letter_id(message_id))
return { 'arrived', 0 }
