-- Closes a session for a move: its state goes to another name, and text takes its place. Every script of a session
-- reads the state first, so that from now on each is refused and changes nothing (law 2). Nobody may be at a turn.
-- KEYS: move record sealed lease
-- ARGV: run mark
-- REPLY: superseded | gone | sealed | held <ms until its lease ends> | damaged <type>
-- RULES: L1 M2 C2 C4
--@include clock
--@include live
if redis.call('GET', move) ~= run then return { 'superseded' } end
local found = redis.call('TYPE', record).ok
if found == 'string' and redis.call('GET', record) == mark then
  return { redis.call('EXISTS', sealed) == 1 and 'sealed' or 'gone' }
end
if found == 'none' then return { 'gone' } end
if found ~= 'hash' then return { 'damaged', found } end
local r, read = {}, redis.call('HMGET', record, 'holder', 'lease_until', 'lease_ttl')
r.holder, r.lease_until, r.lease_ttl = read[1], read[2], read[3]
if lease_lives(r) then return { 'held', r.lease_until - now } end
local claimed = redis.call('PTTL', lease) -- a node has the Redlock, and is about to begin
if claimed > 0 then return { 'held', claimed } end
local at = redis.call('PEXPIRETIME', record)
redis.call('RENAME', record, sealed)
redis.call('SET', record, mark)
if at > 0 then redis.call('PEXPIREAT', record, at) end
return { 'sealed' }
