-- Pauses or resumes a session. After a resume its work is rung for, unless a live holder has the session.
-- KEYS: state inbox pending paused_agents
-- ARGV: id pause known created_at
-- REPLY: not_found | paused | resumed <still paused, because its agent is> <ring>
-- RULES: P1 P2 T7
--@include clock
--@include live
--@include pause
--@include pause-turned
--@include stands
--@include due
if not s.cursor or s.ended then return { 'not_found' } end
local waiting = redis.call('LLEN', inbox)
redis.call('ZCARD', pending) -- read before anything is written
redis.call('HLEN', paused_agents)
local number = s.paused or '0'
-- Otherwise this call is a repeat, maybe after the session's end, or another one changed the pause first: that counts.
local turns = number == known and s.created_at == created_at and pause_holds(number) ~= (pause == '1')
if turns then
  put('paused', pause_turned(number))
  put('handed_at', false) -- it stands still for the pause, not for a hand-over
end
local ring = ''
local live = lease_lives(s) -- a live holder rings itself when it gives the lease up
if pause ~= '1' and not live and waiting > 0 and not stands_still(s) and retry_wait(s) == 0 then
  if turns then
    ring = tonumber(s.ring or 0) + 1
    put('ring', ring)
    put('ring_mark', ring)
    put('sweeps', 0)
    due_set(now + 2000)
  else ring = s.ring_mark or '' end -- its reply was lost
end
state_save()
if pause == '1' then return { 'paused' } end
return { 'resumed', is_paused(s) and 1 or 0, ring }
