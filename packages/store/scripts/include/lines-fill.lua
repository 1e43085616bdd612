-- Completes lines of the history with the texts that the log holds.
-- NEEDS: lines; events
local NEAR = 8 -- most events between two wanted ones that are read along with them
local function line_whole(line, fields) -- `fields`: ts <ms> b <bytes>, then those of the event
  local lengths = {}
  for i = 5, #fields do lengths[i - 4] = #fields[i] end
  return table.concat({ line, ' ', fields[2], ' ', table.concat(lengths, ','), '\n', unpack(fields, 5) })
end
local function lines_fill(lines)
  local wanted, from, to = {}, nil, nil
  local function read()
    for _, event in ipairs(redis.call('XRANGE', events, int(from), int(to))) do
      local at = wanted[tonumber(string.match(event[1], '^%d+'))]
      if at then lines[at] = line_whole(lines[at], event[2]) end
    end
    wanted, from = {}, nil
  end
  for at, line in ipairs(lines) do
    local seq = line_seq(line)
    if seq then
      if from and (seq < from or seq > to + NEAR) then read() end
      from, to, wanted[seq] = from or seq, math.max(seq, from and to or seq), at
    end
  end
  if from then read() end
  return lines
end
