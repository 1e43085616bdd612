-- Redis keeps 4 KiB free after the newest event of a stream; a copy has no such room. The log of a session that nobody
-- holds is replaced by its copy, unless it is so long that copying costs more than it saves.
local COPIED_BYTES = 16384
local function log_compact(log, bytes, gone_bytes)
  if (tonumber(bytes) or 0) - (tonumber(gone_bytes) or 0) > COPIED_BYTES then return end
  local copy = copy_of(log) -- exists inside this script only
  if redis.pcall('COPY', log, copy, 'REPLACE') == 1 then redis.call('RENAME', copy, log) end
end
