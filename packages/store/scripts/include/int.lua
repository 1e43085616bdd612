-- An integer as text, for a command or a value. Lua's own way, by `%.14g` or `%.17g`, takes three times as long.
local function int(number) return string.format('%d', number) end
