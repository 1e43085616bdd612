-- Events of the log behind `after`: up to `count`, and no more than `max_bytes` but for the first one;
-- changes nothing (run as EVALSHA_RO).
-- KEYS: state events
-- ARGV: after count max_bytes
-- REPLY: not_found | page <epoch> <head> <epoch before> <epoch from> <bytes> <events>
-- RULES: E3 E7 B1
local BLOCK = 32
if not s.epoch then return { 'not_found' } end
local page, bytes, from = {}, 0, string.format('(%.0f-0', tonumber(after))
local function take(block)
  for _, event in ipairs(block) do
    local size = 0
    for _, field in ipairs(event[2]) do size = size + #field end
    if #page == tonumber(count) or #page > 0 and bytes + size > tonumber(max_bytes) then return false end
    table.insert(page, event)
    bytes, from = bytes + size, '(' .. event[1]
  end
  return #block == BLOCK
end
repeat until not take(redis.call('XRANGE', events, from, '+', 'COUNT', BLOCK))
return { 'page', s.epoch, s.cursor, s.epoch_before or '', s.epoch_from or 0, bytes, page }
