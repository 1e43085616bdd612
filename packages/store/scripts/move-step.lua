-- Where a move of the data away from here stands, in the layout. While it is under way, or done, no node starts here,
-- and one that runs finds another data set and stops. `begin` closes, `done` says that the copy is complete and may be
-- opened, `cancel` opens again; after `done` nothing does.
-- KEYS: layout
-- ARGV: step run place id
-- REPLY: begun | done | superseded | cancelled | none
-- RULES: M2 M4 C2
local field = {}
for _, name in ipairs({ 'version', 'id', 'moved_run', 'moved_id', 'moved_version', 'moved_done' }) do
  field[name] = redis.call('HGET', layout, name)
end
local is_moved = field.moved_id and true or false
if step == 'begin' then
  if field.moved_done then return { 'done' } end
  if not is_moved then
    redis.call('HSET', layout, 'moved_version', field.version, 'moved_id', field.id, 'version', 'moved', 'id', id)
  end
  redis.call('HSET', layout, 'moved_run', run, 'moved_to', place)
  return { 'begun' }
end
if step == 'done' then
  if field.moved_run ~= run then return { 'superseded' } end
  redis.call('HSET', layout, 'moved_done', 1)
  return { 'done' }
end
if field.moved_done then return { 'done' } end
if not is_moved then return { 'none' } end
redis.call('HSET', layout, 'version', field.moved_version, 'id', field.moved_id)
redis.call('HDEL', layout, 'moved_run', 'moved_id', 'moved_version', 'moved_to')
return { 'cancelled' }
