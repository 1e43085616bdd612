-- Draws up to `want` tokens from a bucket that holds `burst` and is full again `fill` ms after it was empty. The wait
-- is 0 if all were there, else the ms after which asking again is worth while. A repeat gets the first answer. If
-- others drew in between, it draws a second time, and the limit is stricter by that portion.
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
if drawn < tonumber(want) then -- until the next token, and at least PAUSE, unless the bucket is full sooner
  wait = math.ceil(math.max((1 - tokens) * fill / most, math.min(PAUSE, fill)))
end
redis.call('HSET', bucket, 'tokens', string.format('%.6f', tokens), 'at', string.format('%d', micros),
  'call', call, 'drawn', drawn, 'wait', wait)
redis.call('PEXPIRE', bucket, math.ceil(fill) + KEPT)
return { 'drawn', drawn, wait }
