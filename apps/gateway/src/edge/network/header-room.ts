/**
 * Most bytes of a head that comes in several TCP segments. The default of the library is 4 KiB, too little for a long
 * signed token. The library reads this once, while it loads: so this module is imported before it.
 */
process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= '16384';
