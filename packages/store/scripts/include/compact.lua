-- Redis keeps room for 4 KiB behind the newest event of a stream. A copy has none: a session that nobody holds gets one
-- in the place of its log, unless the log is so long that the copy costs more than the room.
local COPIED_BYTES = 16384
local function log_compact(log, bytes, gone_bytes)
  if (tonumber(bytes) or 0) - (tonumber(gone_bytes) or 0) > COPIED_BYTES then return end
  local copy = log .. ':copy' -- inside this script alone
  if redis.pcall('COPY', log, copy, 'REPLACE') == 1 then redis.call('RENAME', copy, log) end
end
