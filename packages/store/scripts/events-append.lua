-- Logs what a running turn streams; `number` counts the calls of the turn, a repeat is answered only.
-- KEYS: state events
-- ARGV: token fence server channel turn_id number batch max_events max_log_bytes
-- REPLY: fenced | appended <cursor> <abort>
-- RULES: L3 T6 E1
--@include fence
if fenced then return { 'fenced' } end
--@include clock
--@include log
local s = redis.call('HMGET', state, 'turn_id', 'delta', 'abort')
if s[1] ~= turn_id then return { 'fenced' } end
if tonumber(number) > tonumber(s[2]) then
  local attempt = redis.call('HGET', state, 'attempt')
  for _, fields in ipairs(cjson.decode(batch)) do
    table.insert(fields, 'u')
    table.insert(fields, turn_id)
    table.insert(fields, 'a')
    table.insert(fields, attempt)
    log_append(fields)
  end
  log_save()
  redis.call('HSET', state, 'delta', number)
end
return { 'appended', cursor, s[3] or '' }
