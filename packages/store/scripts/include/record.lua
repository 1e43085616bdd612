-- An event as it is published and read: its head, `<epoch> <seq> <ms>`, the bytes of each of its fields and values from
-- `first` on, a line break, and those bytes, which nobody escapes or parses. And how many bytes these are.
local function record(head, fields, first)
  local lengths, count = {}, #fields - first + 1
  if count < 2 then return head .. ' 0,0\n', 0 end -- of another maker: it has its seq, and says nothing
  for i = 1, count do lengths[i] = #fields[first + i - 1] end
  local body = table.concat(fields, '', first)
  local sizes = string.format(string.rep('%d,', count - 1) .. '%d', unpack(lengths))
  return table.concat({ head, ' ', sizes, '\n', body }), #body
end
