-- An event as it is published and read: its head, `<epoch> <seq> <ms>`; the lengths in bytes of its fields and values
-- from index `first` on; a line break; and the fields and values, unescaped. Also returns the sum of the lengths.
local function record(head, fields, first)
  local lengths, count = {}, #fields - first + 1
  if count < 2 then return head .. ' 0,0\n', 0 end -- not written by us: it has its seq, and no fields
  for i = 1, count do lengths[i] = #fields[first + i - 1] end
  local body = table.concat(fields, '', first)
  local sizes = string.format(string.rep('%d,', count - 1) .. '%d', unpack(lengths))
  return table.concat({ head, ' ', sizes, '\n', body }), #body
end
