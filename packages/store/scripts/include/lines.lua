-- Lines of the history: `u<seq> <bytes>` names the event of a message, `a<seq> <bytes>` that of an outcome, as long as
-- the log holds it. Once the log has dropped it, ` <ms> <lengths>`, a line break and the fields of the event follow.
-- `u <inbox entry>`: the log never had the text. (`a <message_id> <ms> <turn_id> <status> <json>`: of layout 1.)
local function line_bytes(line) return tonumber(string.match(line, '^%a%d+ (%d+)')) or #line end
-- The seq of the event that has the text of the line; nil: the line has the text itself.
local function line_seq(line) return tonumber(string.match(line, '^%a(%d+) %d+$')) end
