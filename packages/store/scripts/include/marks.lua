-- Resume marks (E10), `<process> <seq> <gone> <ms>` each: one for each process that has connections without a cursor,
-- with the lowest seq up to which one of them was served; and `mark:gone` for all connections that have detached.
local function mark_set(field, by, seq, gone)
  redis.call('HSET', state, field, table.concat({ by, seq, gone, now_text }, ' '))
end
local function mark_lower(field, by, seq, gone)
  local mark = redis.call('HGET', state, field)
  local marked = mark and string.match(mark, '^%S+ (%d+)')
  mark_set(field, by, math.min(tonumber(seq), tonumber(marked or seq)), gone)
end
