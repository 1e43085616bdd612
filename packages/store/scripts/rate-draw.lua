-- Draws tokens from a bucket that holds `burst` and is full again `fill` ms after it was empty. It gives
-- what there is, up to `want`; the wait is 0, or the time after which asking again is worth while.
-- A repeat whose first reply was lost gets the same answer; if others drew in between it draws a second
-- time, and the limit is stricter by that portion.
-- KEYS: bucket
-- ARGV: call want burst fill
-- REPLY: drawn <tokens> <wait>
-- RULES: X5
local PAUSE, KEPT = 100, 1000
--@include clock
local micros = time[1] * 1000000 + time[2]
local full, most = fill * 1000, tonumber(burst)
local s = redis.call('HMGET', bucket, 'tokens', 'at', 'call', 'drawn', 'wait')
if s[3] == call then return { 'drawn', s[4], s[5] } end
local since = math.max(0, micros - (s[2] or 0))
local tokens = math.min(most, (s[1] or most) + since * most / full)
local drawn = math.min(tonumber(want), math.floor(tokens))
tokens = tokens - drawn
local wait = 0
if drawn < tonumber(want) then -- for the next token, and for some more unless they would overflow
  wait = math.ceil(math.max((1 - tokens) * fill / most, math.min(PAUSE, fill)))
end
redis.call('HSET', bucket, 'tokens', string.format('%.6f', tokens), 'at', string.format('%d', micros),
  'call', call, 'drawn', drawn, 'wait', wait)
redis.call('PEXPIRE', bucket, math.ceil(fill) + KEPT)
return { 'drawn', drawn, wait }
