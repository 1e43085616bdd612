-- Binds a connection to a session, creating it when there is none, and finds where replay begins.
-- KEYS: state inbox events messages seen sessions owned paused_agents
-- ARGV: server id agent principal session_id create since known_epoch connection process
--       live_processes node_channel wakes_counted metadata unused_window resume_window
-- REPLY: not_found | wrong_agent <agent> | attached <created> <epoch> <cursor> <oldest> <pending>
--        <executing> <from> <resync> <agent> <message id of the started head> <paused>
-- RULES: E2 E3 E4 E6 E10 C4
--@include clock
--@include head
--@include live
--@include expiry
--@include pause
--@include marks
local s = redis.call('HMGET', state, 'agent', 'ended', 'epoch')
if not s[1] or s[2] then
  if create == '0' then return { 'not_found' } end
  redis.call('DEL', state, inbox, events, messages, seen)
  redis.call('HSET', state, 'agent', agent, 'principal', principal, 'session_id', session_id,
    'cursor', 0, 'epoch', epoch_after(s[3]), 'server', server,
    'created_at', now, 'last_activity', now, 'creator', connection, 'metadata', metadata,
    'accepted', 0, 'bytes', 0)
elseif agent ~= '' and s[1] ~= agent then
  return { 'wrong_agent', s[1] }
end
local channel, max_events, max_log_bytes = '', 0, 0 -- nothing is appended here
--@include log
local f = redis.call('HMGET', state, 'epoch_before', 'epoch_from', 'creator', 'accepted',
  'lease_until', 'batch', 'agent', 'holder', 'lease_ttl')
local pending = redis.call('LLEN', inbox)
local from, resync = cursor, 0
--@include marks-gone

if since == '' then
  from = from_marks()
  mark_lower('mark:' .. process, process, from, 0)
else
  from = tonumber(since)
  if known_epoch ~= '' and known_epoch ~= epoch then
    if known_epoch ~= f[1] or from > tonumber(f[2]) then resync = 1 end
  elseif from > cursor then
    if known_epoch ~= '' then epoch_renew() end
    resync = 1
  end
end
local first = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
local oldest = first and tonumber(string.match(first[1], '^%d+')) or 0
if from < cursor and (oldest == 0 or from + 1 < oldest) then resync = 1 end
if pending == 0 then
  expiry_set(now + (f[4] == '1' and resume_window or unused_window))
end
redis.call('ZADD', sessions, now, id)
redis.call('ZADD', owned, now, id)
local executing = f[6] and lease_lives(f[8] or f[6], f[5], f[9]) and 1 or 0
return { 'attached', f[3] == connection and 1 or 0, epoch, cursor, oldest, pending, executing,
  from, resync, f[7], f[6] and entry_id(redis.call('LINDEX', inbox, f[6] - 1)) or '',
  is_paused() and 1 or 0 }
