-- Gives the lease up. `yield`: other sessions go first; `hand_over`: another node goes on at once; `force`: the drain
-- deadline aborted the running turn, its message stays at the head; `lost`: the same, since no majority of the quorum
-- renewed its Redlock. A turn that `inbox-append` began and that never ran counts as not begun, unless an abort was
-- promised: then the next holder aborts it.
-- KEYS: state inbox events messages seen lease pending paused_agents ends
-- ARGV: token fence server channel id node how reason max_events max_log_bytes resume_window
-- REPLY: fenced | released | handed <ring> <SESSION_END record>, '' each for none
-- RULES: L3 T3 T7 C4 D2 D3 D4 D5 P1 P3
--@include fence
if fenced and s.released == token .. ' ' .. fence then -- its reply was lost
  if s.released_ring .. s.released_end == '' then return { 'released' } end
  return { 'handed', s.released_ring, s.released_end }
end
if fenced then return { 'fenced' } end
--@include clock
--@include log
--@include end-record
--@include head-forget
--@include due
--@include expiry
--@include pause
--@include stands
--@include compact
local first, pending_count = redis.call('LINDEX', inbox, 0), redis.call('LLEN', inbox)
local stands = first and stands_still(s)
local is_here = redis.call('GET', lease) == token -- never with a quorum, unless this Redis is a member
local ring, record = '', ''
if first then
  redis.call('ZCARD', pending) -- read before anything is written
  redis.call('LLEN', ends)
  local is_cut = s.batch and (how == 'force' or how == 'lost')
  if is_cut then
    put('hand_overs', tonumber(s.hand_overs or 0) + 1)
    put('handed', how == 'force' and 1 or 2) -- only the drain's counts as cut by a drain
    if how == 'force' then
      record = end_record(reason, 'drain_timeout', pending_count, true, true)
      log_save()
      put('handed_at', now)
    end
  elseif how ~= 'yield' and how ~= 'lost' then -- it has stood still since the last commit, or since the head came
    put('handed_at', math.max(tonumber(s.committed_at or 0), tonumber(string.match(first, '^%S+ (%d+)'))))
  end
  if s.batch and not is_cut then
    if s.abort or s.delta ~= '0' then put('handed', 1) else head_forget() end
  end
  if stands then put('handed_at', false)
  else
    ring = tonumber(s.ring or 0) + 1
    put('ring', ring)
    put('ring_mark', ring)
  end
  due_set(now + 2000)
else expiry_set(now + resume_window) end
put('released', token .. ' ' .. fence)
put('released_ring', ring)
put('released_end', record)
put('lease_until', 0)
put('holder', false)
put('token', false)
if is_here then redis.call('DEL', lease) end
if not first then log_compact(events, s.log_bytes, s.log_floor) end
state_save()
if ring .. record == '' then return { 'released' } end
return { 'handed', ring, record }
