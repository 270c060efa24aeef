// Fixed by FORMAT.md.
export const CRC_SEED = 0x4c6f6768
export const SEGMENT_HEADER_BYTES = 64
export const ENVELOPE_BYTES = 32
export const BATCH_HEADER_BYTES = 56
export const HOPS_LIMIT = 16
/** With that many hops of the longest name. */
export const ENVELOPE_LIMIT_BYTES = ENVELOPE_BYTES + HOPS_LIMIT * (25 + 255)
export const PAYLOAD_LIMIT_BYTES = 2 << 20
export const RECORD_LIMIT_BYTES = PAYLOAD_LIMIT_BYTES + 8192

// Ours: one segment is the unit of freed space.
export const SEGMENT_BYTES = 16 << 20
/** A batch closes when its payload has reached this. */
export const BATCH_TARGET_BYTES = 256 << 10
/** Room that the maker of a payload leaves before it for envelope, batch header and origin, without hops. */
export const BATCH_HEADROOM_BYTES = 384
