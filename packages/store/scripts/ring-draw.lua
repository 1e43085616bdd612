-- Draws a new number for a ring that is delayed, passed on, or due because an agent was resumed: no older job can
-- swallow it then. A session that is paused or has no work gets none.
-- KEYS: state inbox pending paused_agents
-- ARGV: id delay call
-- REPLY: none | drawn <ring>
-- RULES: T7 P1 P3
--@include clock
--@include pause
--@include stands
--@include due
if redis.call('LLEN', inbox) == 0 then return { 'none' } end
local drawn_by, drawn = string.match(s.drawn or '', '^(%S+) (%d+)$')
if drawn_by == call then return { 'drawn', drawn } end -- its reply was lost
if stands_still(s) then return { 'none' } end
due_set(now + 2000 + delay)
local ring = tonumber(s.ring or 0) + 1
put('ring', ring)
put('ring_mark', ring)
put('drawn', call .. ' ' .. ring)
state_save()
return { 'drawn', ring }
