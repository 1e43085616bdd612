-- Events behind `after` as records, in blocks: up to `count`, and no more than `limits.max_bytes`; of these the first
-- one only if `limits.first` says that it comes in any case. Returns them in one text, and their bytes in the log.
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
