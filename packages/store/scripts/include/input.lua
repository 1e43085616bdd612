-- Puts what a message says into the event of its acceptance, for other readers and for the history.
-- NEEDS: s; max_log_bytes
-- Nothing, if messages that wait would take more than half of the log.
local function input_fields(mode, entry)
  if tonumber(s.bytes) + #entry > max_log_bytes / 2 then return end
  local body = string.match(entry, '^%S+ %d+ %d+ %a+ (.*)$')
  if mode == 'enqueue' then return 'c', body end
  return 'c', body, 'o', mode
end
-- Adds to an entry the seq of the event that has its text.
local function entry_logged(entry, seq)
  local head = string.match(entry, '^%S+ %d+ %d+ %a+()')
  return string.sub(entry, 1, head - 1) .. '.' .. int(seq) .. string.sub(entry, head)
end
