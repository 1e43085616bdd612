-- Returns one line of a listing: whose session it is, and what it is doing. Read-only (run as EVALSHA_RO).
-- KEYS: state inbox paused_agents
-- ARGV:
-- REPLY: not_found | described <now> <state: fields of interest> <pending> <paused>
-- RULES: E7 L6
--@include clock
--@include live
--@include pause
if not s.session_id or s.ended then return { 'not_found' } end
local line = { s.session_id, s.agent, s.principal, s.created_at, s.last_activity, s.metadata,
  lease_lives(s) and s.holder, s.lease_until, s.batch }
for i = 1, 9 do line[i] = line[i] or '' end
return { 'described', now, line, redis.call('LLEN', inbox), is_paused(s) and 1 or 0 }
