-- The calls that were accepted last, `<call>:<seq>:<ring>` each, the newest first. A call that the node repeats because
-- its reply was lost gets its first answer. A message that its client sends again is another call, and does not.
-- NEEDS: s; events call
for made, seq, ring in string.gmatch(s.calls or '', '(%S+):(%d+):(%d*)') do
  local event = made == call and redis.call('XRANGE', events, seq, seq)[1]
  if event then
    local fields = {}
    for i = 1, #event[2], 2 do fields[event[2][i]] = event[2][i + 1] end
    return { 'accepted', s.epoch, seq, fields.ts, fields.p or 0, ring, is_paused(s) and 1 or 0,
      fields.c and 1 or 0, '', '' }
  end
end
