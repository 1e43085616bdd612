-- Drops the oldest events of a log that is over max_events or max_log_bytes, an eighth at once, never the newest one.
-- Texts that the history names move into its lines first (T2).
-- NEEDS: s, lines; events messages max_events max_log_bytes
--@include lines-fill
local function start_of(seq)
  local found = redis.call('XRANGE', events, string.format('%d-0', seq), '+', 'COUNT', 1)
  return tonumber(found[1][2][4]) or 0
end
local function log_first()
  return tonumber(string.match(redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1][1], '^%d+'))
end
-- A turn has at most 33 lines, and the last one names its outcome: if a block names nothing, no earlier line does.
local BLOCK_LINES = 64
local function history_keep(low)
  local length = redis.pcall('LLEN', messages)
  if type(length) == 'table' then return end -- not a list: there is no history
  for to = length - 1, 0, -BLOCK_LINES do
    local from = math.max(0, to - BLOCK_LINES + 1)
    local named, places, gone = false, {}, {}
    for at, line in ipairs(redis.call('LRANGE', messages, from, to)) do
      local seq = line_seq(line)
      named = named or seq
      if seq and seq < low then
        table.insert(places, from + at - 1)
        table.insert(gone, line)
      end
    end
    if not named then return end
    for at, line in ipairs(lines_fill(gone)) do
      redis.call('LSET', messages, places[at], line)
      history_own = history_own + line_bytes(line)
    end
  end
end
local function log_trim() -- returns the oldest event that is left, and how many bytes were logged before it
  local first, high = log_first(), cursor
  local low = math.max(first, high - max_events + 1)
  if (high - first + 1) * 8 <= max_events * 9 then low = first end
  if log_bytes - start_of(low) > tonumber(max_log_bytes) then
    while low < high do
      local middle = math.floor((low + high) / 2)
      if log_bytes - start_of(middle) > max_log_bytes * 7 / 8 then low = middle + 1
      else high = middle end
    end
  end
  if low > first then
    history_keep(low)
    redis.call('XTRIM', events, 'MINID', string.format('%d-0', low))
  end
  return low, start_of(low)
end
