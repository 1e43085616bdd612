-- Accepting a message: its limits, its place, and whom to tell (a live holder, or others by a ring).
-- NEEDS: s, clock, log, entry, expiry, pause, due; inbox seen lease pending id node_channel max_inbox
--        max_inbox_bytes wakes_counted
local waiting = redis.call('LLEN', inbox)
local started = tonumber(s.batch or 0)
local live = s.holder and tonumber(s.lease_until or 0) > now
local ends = live and math.min(s.lease_until, now + (s.lease_ttl or s.lease_until))
local listed = live and s.due and tonumber(s.due) > now and tonumber(s.due) <= ends
if not listed then redis.call('ZCARD', pending) end -- read before anything is written
local function inbox_entry(message_id, position, mode, body)
  return table.concat({ message_id, now_text, int(position), mode, body }, ' ')
end
-- The name of the limit that refuses the entry; nil: none does (S4).
local function inbox_full(entry)
  if waiting >= tonumber(max_inbox) then return 'max_inbox' end
  if tonumber(s.bytes) + #entry > tonumber(max_inbox_bytes) then return 'max_inbox_bytes' end
end
--@include input
-- Returns the acceptance; the number of the ring to add, '' if none is due; whether the log has the text; and what a
-- peek would find, for the ring to carry: the fence and the agent, '' each if a peek is needed. If the holder lingers
-- and `turn_id` is given, its turn begins here, in its name. The wake then carries the turn, and names the turn before
-- it: by that the holder recognises a turn that it has already run.
local function inbox_put(message_id, position, mode, entry, turn_id)
  local next_entry = position < waiting and redis.call('LINDEX', inbox, position)
  local paused = is_paused(s)
  local accepted = { 't', 'a', 'm', message_id, 'u', '', input_fields(mode, entry) }
  local logged = #accepted > 6
  if position > 0 then table.insert(accepted, 'p') table.insert(accepted, position) end
  if paused then table.insert(accepted, 'w') table.insert(accepted, 1) end -- it waits: no turn begins
  local seq = log_append(accepted)
  if logged then entry = entry_logged(entry, seq) end
  if next_entry then redis.call('LINSERT', inbox, 'BEFORE', next_entry, entry)
  else redis.call('RPUSH', inbox, entry) end
  put('bytes', tonumber(s.bytes) + #entry)
  put('accepted', 1)
  put('last_activity', now)
  redis.call('ZADD', seen, int(WAITING + seq), message_id)
  expiry_remove()
  local ring, rung = '', s.ring_mark
  if started > 0 and mode == 'interrupt' then
--@include stands
    if retry_wait(s) > 0 then rung = false end -- its ring comes only when the wait would have ended
    if not s.abort then put('abort', 'interrupt') end
    if live then redis.pcall('PUBLISH', node_channel .. s.holder, 'abort ' .. id) end
  elseif live and started == 0 then -- a holder that lingers, or has died
    local begins = turn_id and waiting == 0 and not paused and s.last_turn
    local wake = begins and table.concat({ 'begun', id, s.last_turn, turn_id, now_text }, ' ') .. '\n' .. entry
    local heard = redis.pcall('PUBLISH', node_channel .. s.holder, wake or 'wake ' .. id)
    if (heard == 0 or type(heard) == 'table') and wakes_counted == '1' then
      put('holder', false)
      put('token', false)
      redis.call('DEL', lease)
      live = false
    else
      if begins then
--@include head-start
        head_start(turn_id, entry)
      end
      if not listed then due_set(ends) end
    end
  end
  if not live then -- pcall: the list may not have been read above
    put('due', false)
    if rung then -- a ring is on its way; if it is lost, the sweep finds the session
      redis.pcall('ZADD', pending, 'LT', int(now + 2000), id)
    else
      if not (paused and not (s.batch and s.abort)) then
        ring = tonumber(s.ring or 0) + 1
        put('ring', ring)
        put('ring_mark', ring)
      end
      redis.pcall('ZADD', pending, int(now + 2000), id)
    end
  end
  log_save()
  local free = ring ~= '' and started == 0
  return { 'accepted', s.epoch, seq, now, position, ring, paused and 1 or 0, logged and 1 or 0,
    free and (s.fence or '0') or '', free and s.agent or '' }
end
