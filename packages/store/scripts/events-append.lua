-- Logs what a running turn streams. `number` counts the calls of the turn from 1; a repeated number logs nothing.
-- KEYS: state events messages
-- ARGV: token fence server channel turn_id number batch max_events max_log_bytes
-- REPLY: fenced | appended <cursor> <abort>
-- RULES: L3 T6 E1
--@include fence
if fenced then return { 'fenced' } end
--@include clock
--@include log
if s.turn_id ~= turn_id then return { 'fenced' } end
if tonumber(number) > tonumber(s.delta) then
  for _, fields in ipairs(cjson.decode(batch)) do
    for _, field in ipairs({ 'u', turn_id, 'a', s.attempt }) do table.insert(fields, field) end
    log_append(fields)
  end
  log_save()
  put('delta', tonumber(number))
  state_save()
end
return { 'appended', cursor, s.abort or '' }
