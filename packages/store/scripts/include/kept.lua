-- What is kept of a message whose event was trimmed from the log (S3): its place in the inbox, or its
-- reply in the history. A repeat must stay cheap, so only the nearest lines are looked at.
-- NEEDS: lines, entry; inbox messages message_id
--@include lines-fill
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
-- The message id and the position in a line that has its text.
local function kept_of(line)
  local lengths, at = string.match(line, '^%a%d+ %d+ %d+ ([%d,]+)\n()')
  if not lengths then return string.match(line, '^%a (%S+) %d+ ?(%d*)') end
  local fields, name = {}, nil
  for length in string.gmatch(lengths, '%d+') do
    local text = string.sub(line, at, at + length - 1)
    if name then fields[name], name = text, nil else name = text end
    at = at + length
  end
  return fields.m, fields.p or '0'
end
-- A turn is in the history as its messages (`u`), then the reply to the last of them (`a`). A line that names its event
-- is not about this message, but may be the reply that the message was merged into.
local function kept_reply()
  local position, reply, newer = '0', '', nil
  kept_walk(messages, -1, -1, function(line)
    local kind = string.sub(line, 1, 1)
    if kind == 'a' then newer = line end
    local of, its_position = kept_of(line)
    if of ~= message_id then return false end
    reply = newer or ''
    if kind == 'u' then position = its_position end
    return kind == 'u'
  end)
  return position, lines_fill({ reply })[1]
end
