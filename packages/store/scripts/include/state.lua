-- `put` changes a field here, as text; `state_save` writes the fields that have changed.
local changed = {}
local function put(field, value)
  if type(value) == 'number' then value = int(value) end
  if s[field] ~= value then s[field], changed[field] = value, true end
end
local function state_save()
  local set, gone = {}, {}
  for field in pairs(changed) do
    if s[field] then set[#set + 1], set[#set + 2] = field, s[field] else gone[#gone + 1] = field end
  end
  if #set > 0 then redis.call('HSET', state, unpack(set)) end
  if #gone > 0 then redis.call('HDEL', state, unpack(gone)) end
  changed = {}
end
