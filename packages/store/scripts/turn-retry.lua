-- Ends an attempt without an outcome: the agent calls its failure one that passes (`failed`), or its process
-- died (`cut`). The lease is given up, and the head waits for `retry_at` without a holder.
-- KEYS: state lease pending
-- ARGV: token fence id turn_id lease_here how delay retry_for
-- REPLY: fenced | spent | aborted <reason> | waiting <ring>
-- RULES: L3 T3 T4 T5 T6 T7
--@include fence
local RING_ANSWERED = 2000 -- then the sweep rings
local answered = redis.call('HMGET', state, 'released', 'released_ring')
if fenced and answered[1] == token .. ' ' .. fence then return { 'waiting', answered[2] } end -- its reply was lost
if fenced then return { 'fenced' } end
--@include clock
local s = redis.call('HMGET', state, 'turn_id', 'batch', 'abort', 'turn_word', 'failing_since', 'attempt',
  'cuts')
if s[1] ~= turn_id or not s[2] then return { 'fenced' } end
if s[3] then return { 'aborted', s[3] } end
if s[4] == 'alone' then return { 'spent' } end -- it was the last one
local cuts, since = tonumber(s[7] or s[6] - 1), tonumber(s[5] or now)
if how == 'cut' then cuts = cuts + 1
elseif now - since >= tonumber(retry_for) then return { 'spent' }
else redis.call('HSET', state, 'failing_since', since) end
local retry_at = now + delay
local ring = redis.call('HINCRBY', state, 'ring', 1)
redis.call('HSET', state, 'cuts', cuts, 'retry_at', retry_at, 'ring_mark', ring, 'lease_until', 0,
  'released', token .. ' ' .. fence, 'released_ring', ring, 'released_end', '')
redis.call('HDEL', state, 'holder', 'token')
redis.call('ZADD', pending, retry_at + RING_ANSWERED, id)
if lease_here == '1' and redis.call('GET', lease) == token then redis.call('DEL', lease) end
return { 'waiting', ring }
