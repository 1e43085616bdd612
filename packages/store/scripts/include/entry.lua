-- Entries of the inbox: `<message_id> <ms> <position> <mode> <body>`.
local function entry_id(entry) return string.match(entry, '^%S+') end
local function entry_mode(entry) return string.match(entry, '^%S+ %d+ %d+ (%a+)') end
