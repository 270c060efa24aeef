// Fixed by FORMAT.md.
export const CRC_SEED = 0x4c6f6768
export const SEGMENT_HEADER_BYTES = 64
export const ENVELOPE_BYTES = 32
export const BATCH_HEADER_BYTES = 56
export const HOPS_LIMIT = 16
/** The longest text of an IPv6 address, with an IPv4 address at its end. */
export const HOP_ADDRESS_LIMIT_BYTES = 45
/** With that many hops of the longest name and address. */
export const ENVELOPE_LIMIT_BYTES = ENVELOPE_BYTES + HOPS_LIMIT * (25 + 255 + 1 + HOP_ADDRESS_LIMIT_BYTES)
export const PAYLOAD_LIMIT_BYTES = 2 << 20
export const RECORD_LIMIT_BYTES = PAYLOAD_LIMIT_BYTES + 8192

// Ours: one segment is the unit of freed space.
export const SEGMENT_BYTES = 16 << 20
/** A batch closes when its payload has reached this. */
export const BATCH_TARGET_BYTES = 256 << 10
/** Room that the maker of a payload leaves before it for envelope, batch header and origin, and the hop of a relay whose batch it is. */
export const BATCH_HEADROOM_BYTES = 704
