-- Returns events of the log after seq `after`: at most `count`, and at most `max_bytes` unless the first one alone is
-- larger. Read-only (run as EVALSHA_RO).
-- KEYS: state events
-- ARGV: after count max_bytes
-- REPLY: not_found | page <epoch> <head> <epoch before> <epoch from> <bytes> <records of events>
-- RULES: E3 E7 B1
--@include page
if not s.epoch then return { 'not_found' } end
local page, bytes = page_read(tonumber(after), tonumber(count), { max_bytes = tonumber(max_bytes), first = true })
return { 'page', s.epoch, s.cursor, s.epoch_before or '', s.epoch_from or 0, bytes, page }
