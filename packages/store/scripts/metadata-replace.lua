-- Replaces a session's metadata if it still equals `known`. The session's expiry does not change.
-- KEYS: state
-- ARGV: known metadata
-- REPLY: not_found | changed <metadata> | replaced
-- RULES: C4
if not s.metadata or s.ended then return { 'not_found' } end
if s.metadata == metadata then return { 'replaced' } end -- also a repeat whose reply was lost
if s.metadata ~= known then return { 'changed', s.metadata } end
put('metadata', metadata)
state_save()
return { 'replaced' }
