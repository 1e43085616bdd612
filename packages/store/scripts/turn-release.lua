-- Gives the lease up. `idle`: only when nothing waits that may begin; `yield`: others come first;
-- `hand_over`: another node goes on at once; `force`: the running turn was aborted by the drain
-- deadline, its message stays at the head.
-- KEYS: state inbox events lease pending paused_agents ends
-- ARGV: token fence server channel id node how lease_here reason max_events max_log_bytes
-- REPLY: fenced | more | released | handed <ring> <SESSION_END record>, '' each for none
-- RULES: L3 T3 T7 D2 D3 D4 D5 P1 P3
--@include fence
local answered = redis.call('HMGET', state, 'released', 'released_ring', 'released_end')
if fenced and answered[1] == token .. ' ' .. fence then -- its reply was lost
  if answered[2] .. answered[3] == '' then return { 'released' } end
  return { 'handed', answered[2], answered[3] }
end
if fenced then return { 'fenced' } end
--@include clock
--@include log
--@include end-record
--@include pause
local pending_count = redis.call('LLEN', inbox)
local stands = pending_count > 0 and stands_still()
if pending_count > 0 and how == 'idle' and not stands then return { 'more' } end
local ring, record = '', ''
if pending_count > 0 then
  if how == 'force' and redis.call('HEXISTS', state, 'batch') == 1 then
    record = end_record(reason, 'drain_timeout', pending_count, true, true)
    log_save()
    redis.call('HINCRBY', state, 'hand_overs', 1)
    redis.call('HSET', state, 'handed', 1, 'handed_at', now)
  elseif how ~= 'yield' then -- it stands still since the last commit, or since the head came
    local accepted_at = string.match(redis.call('LINDEX', inbox, 0), '^%S+ (%d+)')
    local committed_at = redis.call('HGET', state, 'committed_at') or 0
    redis.call('HSET', state, 'handed_at', math.max(tonumber(committed_at), tonumber(accepted_at)))
  end
  if stands then redis.call('HDEL', state, 'handed_at')
  else
    ring = redis.call('HINCRBY', state, 'ring', 1)
    redis.call('HSET', state, 'ring_mark', ring)
  end
  redis.call('ZADD', pending, now + 2000, id)
end
redis.call('HSET', state, 'released', token .. ' ' .. fence, 'released_ring', ring,
  'released_end', record, 'lease_until', 0)
redis.call('HDEL', state, 'holder', 'token')
if lease_here == '1' and redis.call('GET', lease) == token then redis.call('DEL', lease) end
if ring .. record == '' then return { 'released' } end
return { 'handed', ring, record }
