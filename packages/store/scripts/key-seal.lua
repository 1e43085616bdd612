-- Closes a listing for a move: it goes to another name, and text takes its place, also if there is no listing yet.
-- Scripts that would add to it are refused and change nothing (law 2).
-- KEYS: move record sealed
-- ARGV: run mark
-- REPLY: superseded | sealed
-- RULES: M2 C2
if redis.call('GET', move) ~= run then return { 'superseded' } end
local found = redis.call('TYPE', record).ok
if found == 'string' and redis.call('GET', record) == mark then return { 'sealed' } end
if found ~= 'none' then redis.call('RENAME', record, sealed) end
redis.call('SET', record, mark)
return { 'sealed' }
