-- Whether a process is gone. A killed one loses its subscription at once, but its beat counts for seconds more. One
-- that was stopped, or whose machine is gone, keeps its subscription and beats no more; but while its mark is young,
-- its beat may just not be known here yet. Each process is pinged once, however many marks there are.
local KNOWN_MS = 3000
local heard = { [process] = true }
local function is_gone(by, marked_at)
  if wakes_counted == '1' and heard[by] == nil then
    heard[by] = redis.call('PUBLISH', node_channel .. by, 'ping') > 0
  end
  if heard[by] == false then return true end
  local beats = by == process or string.find(live_processes, ' ' .. by .. ' ', 1, true)
  return not beats and now - (tonumber(marked_at) or 0) >= KNOWN_MS
end
-- The last answers to attaches without a cursor, `<connection>:<from>` each, the newest first: an attach that is
-- repeated because its reply was lost gets its first answer. As many as fit 64 bytes are kept (call-keep.lua).
local answered = s.mark_calls or ''
local function from_marks() -- E10: replay begins after the lowest mark of the connections that are gone
  for made, seq in string.gmatch(answered, '(%S+):(%d+)') do
    if made == connection then return tonumber(seq) end
  end
  local fields = redis.call('HGETALL', state)
  local lowest = cursor
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 5) == 'mark:' then
      local by, seq, gone, at = string.match(fields[i + 1], '^(%S+) (%d+) (%d) ?(%d*)$')
      if gone == '1' or is_gone(by, at) then
        lowest = math.min(lowest, tonumber(seq))
        redis.call('HDEL', state, fields[i])
      end
    end
  end
  local kept = string.format('%s:%d', connection, lowest)
  for earlier in string.gmatch(answered, '%S+') do
    if #kept + 1 + #earlier > 64 then break end
    kept = kept .. ' ' .. earlier
  end
  put('mark_calls', kept)
  return lowest
end
