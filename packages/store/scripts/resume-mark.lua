-- Notes up to which seq the connections of a process that track no cursor were served: the `lowest` of the attached
-- ones ('': unchanged, 'none': there are none), and that of the one that has just `detached` ('': none has).
-- KEYS: state
-- ARGV: process lowest detached
-- REPLY: not_found | marked
-- RULES: E10
--@include clock
--@include marks
if not s.cursor or s.ended then return { 'not_found' } end
local own = 'mark:' .. process
if lowest == 'none' then redis.call('HDEL', state, own)
elseif lowest ~= '' then mark_set(own, process, lowest, 0) end
if detached ~= '' then mark_lower('mark:gone', '-', detached, 1) end
return { 'marked' }
