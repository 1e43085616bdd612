-- One line of a listing: whose session it is, and what it does now; changes nothing (run as EVALSHA_RO).
-- KEYS: state inbox paused_agents
-- ARGV:
-- REPLY: not_found | described <now> <state: fields of interest> <pending> <paused>
-- RULES: E7 L6
--@include clock
--@include live
--@include pause
local s = redis.call('HMGET', state, 'session_id', 'agent', 'principal', 'created_at', 'last_activity',
  'metadata', 'holder', 'lease_until', 'batch', 'ended', 'lease_ttl')
if not s[1] or s[10] then return { 'not_found' } end
if not lease_lives(s[7], s[8], s[11]) then s[7] = '' end
for i = 1, 9 do s[i] = s[i] or '' end
return { 'described', now, s, redis.call('LLEN', inbox), is_paused() and 1 or 0 }
