-- The record (record.lua) of an entry of the log, whose fields are `ts <ms> b <bytes>` and then those of the event.
-- NEEDS: s
--@include record
local function record_logged(entry)
  local fields = entry[2]
  local ms = string.match(fields[2], '^%d+$') or '0'
  return (record(s.epoch .. ' ' .. string.match(entry[1], '^%d+') .. ' ' .. ms, fields, 5))
end
