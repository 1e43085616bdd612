-- Reads events after seq `after` as records, in blocks: at most `count`, and at most `limits.max_bytes`. With
-- `limits.first` the first one comes even if it is larger. Returns the records as one text, and their bytes in the log.
--@include record-logged
local BLOCK = 32
local function page_read(after, count, limits)
  local page, bytes, from = {}, 0, string.format('(%d-0', after)
  local function take(block)
    for _, entry in ipairs(block) do
      local size = 0
      for _, field in ipairs(entry[2]) do size = size + #field end
      local must = #page == 0 and limits.first
      if #page == count or not must and bytes + size > limits.max_bytes then return false end
      page[#page + 1] = record_logged(entry)
      bytes, from = bytes + size, '(' .. entry[1]
    end
    return #block == BLOCK
  end
  repeat until not take(redis.call('XRANGE', events, from, '+', 'COUNT', BLOCK))
  return table.concat(page), bytes
end
