-- The history: the newest lines (lines.lua) that fit max_messages and max_log_bytes, at least one. A line counts the
-- same bytes whether it names its event or has the text.
-- NEEDS: s, log; messages max_messages max_log_bytes
local REPLY_BYTES = 100 -- what a reply counts beside its texts
local history_bytes = tonumber(s.history_bytes or 0)
local history_new = {}
local function history_add(line, bytes)
  table.insert(history_new, line)
  history_bytes = history_bytes + bytes
  if not line_seq(line) then history_own = history_own + bytes end
end
local function history_message(entry) -- call it after `log_save`; or before, with `history_save`
  local dot, seq, rest = string.match(entry, '^%S+ %d+ %d+ %a+()%.(%d+)()')
  local bytes = 2 + #entry - (seq and rest - dot or 0)
  if seq and tonumber(seq) >= tonumber(s.log_low or 0) then
    return history_add(string.format('u%s %d', seq, bytes), bytes)
  end
  history_add('u ' .. (seq and string.sub(entry, 1, dot - 1) .. string.sub(entry, rest) or entry), bytes)
end
local function history_reply(seq, texts) -- `seq` is that of the newest event
  local bytes = REPLY_BYTES
  for _, text in ipairs(texts) do bytes = bytes + #text end
  history_add(string.format('a%d %d', seq, bytes), bytes)
end
local function history_save(lines_before)
  redis.call('RPUSH', messages, unpack(history_new))
  local lines = lines_before + #history_new
  while lines > tonumber(max_messages) or (history_bytes > tonumber(max_log_bytes) and lines > 1) do
    local line = redis.call('LPOP', messages)
    history_bytes = history_bytes - line_bytes(line)
    if not line_seq(line) then history_own = history_own - line_bytes(line) end
    lines = lines - 1
  end
  put('history_bytes', history_bytes)
  put('history_own', history_own > 0 and history_own)
end
