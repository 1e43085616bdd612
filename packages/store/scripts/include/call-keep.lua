-- Keeps as many calls as fit 64 bytes: with one longer field Redis stores the whole state in twice the memory.
-- NEEDS: s; call answer
local CALLS_BYTES = 64
local kept = string.format('%s:%d:%s', call, answer[3], answer[6])
for earlier in string.gmatch(s.calls or '', '%S+') do
  if #kept + 1 + #earlier > CALLS_BYTES then break end
  kept = kept .. ' ' .. earlier
end
put('calls', kept)
