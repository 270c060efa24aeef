// How the receiving thread hands payloads to the main thread: slots of plain memory that the thread fills through their addresses, and a small
// shared array that says whose turn each slot is. (Shared memory for the payloads themselves made every copy of them half as fast.)

import { BATCH_HEADROOM_BYTES, BATCH_TARGET_BYTES } from '../spool/constants.ts'
import { GROWTH_LIMIT_BYTES } from '../syslog/local.ts'

export const SLOTS = 16

// Words of the shared array: the stop flag, then per slot these.
export const STOP_WORD = 0
const SLOT_WORDS = 8
export const CONTROL_BYTES = 4 * (SLOT_WORDS * (SLOTS + 1))

export const FREE = 0
export const FULL = 1

/** Words of one slot, from its first. */
export const STATE = 0
export const PAYLOAD_BYTES = 1
export const COUNT = 2
export const CUT = 3
export const UNPARSED = 4
/** Receipt of the first message: seconds and microseconds. */
export const SECOND = 5
export const MICROS = 6

export function slotWord(slot: number): number {
  return SLOT_WORDS * (slot + 1)
}

/** Payload of a slot when the longest message may have `limitBytes`. */
export function payloadRoom(limitBytes: number): number {
  return Math.max(BATCH_TARGET_BYTES, limitBytes + GROWTH_LIMIT_BYTES + 4)
}

export function slotBytes(limitBytes: number): number {
  return BATCH_HEADROOM_BYTES + payloadRoom(limitBytes)
}

export interface DatagramWorkerData {
  readonly fd: number
  /** Becomes readable when the thread is to end and leave the rest in the socket; -1 for a socket of ours, which is shut instead. */
  readonly wakeFd: number
  readonly limitBytes: number
  readonly hostname: string
  readonly control: SharedArrayBuffer
  /** Address of each slot's payload. */
  readonly payloads: readonly bigint[]
}
