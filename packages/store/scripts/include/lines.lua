-- Lines of the history: `u<seq> <bytes>` names the event of a message, `a<seq> <bytes>` that of an outcome, as long as
-- the log holds it. ` <ms> <lengths>`, a line break and the fields of the event follow when the log has dropped it.
-- `u <inbox entry>`: the log never had the text. (`a <message_id> <ms> <turn_id> <status> <json>`: of layout 1.)
-- NEEDS: events
local NEAR = 8 -- events between two that are wanted, and read along with them
local function line_bytes(line) return tonumber(string.match(line, '^%a%d+ (%d+)')) or #line end
-- Of the event that has the text of the line; nil: the line has it.
local function line_seq(line) return tonumber(string.match(line, '^%a(%d+) %d+$')) end
local function line_whole(line, fields) -- ts <ms> b <bytes>, and then those of the event
  local lengths = {}
  for i = 5, #fields do lengths[i - 4] = #fields[i] end
  return table.concat({ line, ' ', fields[2], ' ', table.concat(lengths, ','), '\n', unpack(fields, 5) })
end
-- Puts the texts into these lines.
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
