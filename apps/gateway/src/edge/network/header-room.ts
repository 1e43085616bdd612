/**
 * What the library keeps of a head that comes in several TCP segments, in bytes: 4 KiB of its own accord, which a
 * long signed token does not fit. It reads this once, while it loads: this module comes before it.
 */
process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= '16384';
