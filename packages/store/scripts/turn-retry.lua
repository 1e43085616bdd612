-- Ends an attempt without an outcome: the agent says that its failure will pass (`failed`), or its process died
-- (`cut`). The lease is given up, and the head waits until `retry_at` without a holder.
-- KEYS: state lease pending
-- ARGV: token fence id turn_id how delay retry_for
-- REPLY: fenced | spent | aborted <reason> | waiting <ring>
-- RULES: L3 T3 T4 T5 T6 T7
--@include fence
local RING_ANSWERED = 2000 -- time for the ring to be answered; then the sweep rings
if fenced and s.released == token .. ' ' .. fence then return { 'waiting', s.released_ring } end -- its reply was lost
if fenced then return { 'fenced' } end
--@include clock
--@include due
if s.turn_id ~= turn_id or not s.batch then return { 'fenced' } end
if s.abort then return { 'aborted', s.abort } end
if s.turn_word == 'alone' then return { 'spent' } end -- it was the last one
local cuts, since = tonumber(s.cuts or s.attempt - 1), math.min(now, s.failing_since or now)
if how == 'cut' then cuts = cuts + 1
elseif now - since >= tonumber(retry_for) then return { 'spent' }
else put('failing_since', since) end
local is_here = redis.call('GET', lease) == token
put('ring', tonumber(s.ring or 0) + 1)
put('ring_mark', s.ring)
put('cuts', cuts)
put('retry_at', now + delay)
put('retry_delay', delay)
put('lease_until', 0)
put('released', token .. ' ' .. fence)
put('released_ring', s.ring)
put('released_end', '')
put('holder', false)
put('token', false)
due_set(s.retry_at + RING_ANSWERED)
if is_here then redis.call('DEL', lease) end
state_save()
return { 'waiting', s.ring }
