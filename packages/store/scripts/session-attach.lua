-- Binds a connection to a session, which it creates if there is none, and finds where replay begins.
-- KEYS: state inbox events messages seen sessions owned paused_agents
-- ARGV: server id agent principal session_id create since known_epoch connection process
--       live_processes node_channel wakes_counted metadata page_bytes unused_window resume_window
-- REPLY: not_found | wrong_agent <agent> | attached <created> <epoch> <cursor> <oldest> <pending>
--        <executing> <from> <resync> <agent> <message id of the started head> <paused> <records of events>
-- RULES: E2 E3 E4 E6 E10 B1 C4
--@include clock
--@include entry
--@include epoch
--@include live
--@include expiry
--@include pause
--@include marks
--@include page
local is_new = not s.agent or s.ended
if is_new and create == '0' then return { 'not_found' } end
if not is_new and agent ~= '' and s.agent ~= agent then return { 'wrong_agent', s.agent } end
redis.call('ZCARD', sessions) -- read before anything is written
redis.call('ZCARD', owned)
redis.call('HLEN', paused_agents)
if is_new then
  local epoch = epoch_after(s.epoch)
  redis.call('DEL', state, inbox, events, messages, seen)
  for field in pairs(s) do s[field] = false end
  for field, value in pairs({ agent = agent, principal = principal, session_id = session_id, cursor = 0,
    epoch = epoch, server = server, created_at = now, last_activity = now, creator = connection,
    metadata = metadata, accepted = 0, bytes = 0 }) do put(field, value) end
end
local cursor = tonumber(s.cursor)
local first, pending = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1], redis.call('LLEN', inbox)
redis.call('LLEN', messages)
redis.call('ZCARD', seen)
local from, resync = cursor, 0
--@include marks-gone

if since == '' then
  from = from_marks()
  mark_lower('mark:' .. process, process, from, 0)
else
  from = tonumber(since)
  if known_epoch ~= '' and known_epoch ~= s.epoch then
    if known_epoch ~= s.epoch_before or from > tonumber(s.epoch_from) then resync = 1 end
  elseif from > cursor then
    if known_epoch ~= '' then
      put('epoch_before', s.epoch)
      put('epoch_from', cursor)
      put('epoch', epoch_after(s.epoch))
    end
    resync = 1
  end
end
local oldest = first and tonumber(string.match(first[1], '^%d+')) or 0
if from < cursor and (oldest == 0 or from + 1 < oldest) then resync = 1 end
state_save()
if pending == 0 and not s.token then
  expiry_set(now + (tostring(s.accepted) == '1' and resume_window or unused_window))
end
redis.call('ZADD', sessions, now_text, id)
redis.call('ZADD', owned, now_text, id)
local executing = s.batch
  and lease_lives({ holder = s.holder or s.batch, lease_until = s.lease_until, lease_ttl = s.lease_ttl })
return { 'attached', s.creator == connection and 1 or 0, s.epoch, cursor, oldest, pending,
  executing and 1 or 0, from, resync, s.agent,
  s.batch and entry_id(redis.call('LINDEX', inbox, s.batch - 1)) or '', is_paused(s) and 1 or 0,
  resync == 0 and from < cursor and tonumber(page_bytes) > 0 and
    page_read(from, 256, { max_bytes = tonumber(page_bytes), first = false }) or '' }
