-- Pauses a session, or lets it go on: what waits is then rung for, unless somebody is at the session.
-- KEYS: state inbox pending paused_agents
-- ARGV: id pause known created_at
-- REPLY: not_found | paused | resumed <paused all the same, since its agent is> <ring>
-- RULES: P1 P2 T7
--@include clock
--@include live
--@include pause
local s = redis.call('HMGET', state, 'cursor', 'ended', 'paused', 'holder', 'lease_until',
  'ring_mark', 'created_at', 'lease_ttl')
if not s[1] or s[2] then return { 'not_found' } end
local number = s[3] or '0'
-- Else it is repeated, maybe after the session's end, or another was faster: that one counts then.
local turns = number == known and s[7] == created_at and pause_holds(number) ~= (pause == '1')
if turns then
  redis.call('HSET', state, 'paused', pause_turned(number))
  redis.call('HDEL', state, 'handed_at') -- it is not the hand-over that it stands still for
end
if pause == '1' then return { 'paused' } end
local live = lease_lives(s[4], s[5], s[8]) -- gives the lease up, and finds it resumed
local ring = ''
if not live and redis.call('LLEN', inbox) > 0 and not stands_still() and retry_wait() == 0 then
  if turns then
    ring = redis.call('HINCRBY', state, 'ring', 1)
    redis.call('HSET', state, 'ring_mark', ring, 'sweeps', 0)
    redis.call('ZADD', pending, now + 2000, id)
  else ring = s[6] or '' end -- its reply was lost
end
return { 'resumed', is_paused() and 1 or 0, ring }
