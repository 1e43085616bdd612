-- What is kept of a message whose event was trimmed from the log (S3): its place in the inbox, or its
-- reply in the history. A repeat must stay cheap, so it looks at the nearest lines only.
local KEPT_LINES, KEPT_BYTES = 64, 2097152
local function kept_walk(list, from, step, look)
  local bytes = 0
  for i = 0, KEPT_LINES - 1 do
    local line = bytes <= KEPT_BYTES and redis.call('LINDEX', list, from + i * step)
    if not line or look(line) then return end
    bytes = bytes + #line
  end
end
local function kept_position()
  local position = '0'
  kept_walk(inbox, 0, 1, function(line)
    if entry_id(line) ~= message_id then return false end
    position = string.match(line, '^%S+ %d+ (%d+)')
    return true
  end)
  return position
end
-- A turn stands there as its messages (`u`), then the reply to the last of them (`a`).
local function kept_reply()
  local position, reply, newer = '0', '', nil
  kept_walk(messages, -1, -1, function(line)
    local kind, of = string.match(line, '^(%a) (%S+)')
    if kind == 'a' then newer = line end
    if of ~= message_id then return false end
    reply = newer or ''
    if kind == 'u' then position = string.match(line, '^u %S+ %d+ (%d+)') end
    return kind == 'u'
  end)
  return position, reply
end
