-- `put` is kept until `state_save`, which writes what differs from what was read.
local function put(field, value) s[field] = value end
local function state_clear() -- the key is gone, and all that was read with it
  for field in pairs(was) do s[field], was[field] = false, false end
end
local function is_same(value, before)
  if not value then return before == false end
  return tostring(value) == before
end
local function state_save()
  local set, gone = {}, {}
  for field, value in pairs(s) do
    if not is_same(value, was[field]) then
      was[field] = value and tostring(value)
      if value then set[#set + 1], set[#set + 2] = field, was[field] else gone[#gone + 1] = field end
    end
  end
  if #set > 0 then redis.call('HSET', state, unpack(set)) end
  if #gone > 0 then redis.call('HDEL', state, unpack(gone)) end
end
