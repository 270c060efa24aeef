import { countBytes, writeOctetCounted } from '../../transport/octet-counted.ts'
import type { SyslogFraming } from '../../transport/syslog-framing.ts'
import { LineFrames } from './line-frames.ts'

/** How messages become frames of a stream. For each message `measure` is called, then `write`. */
export interface Frames {
  /** Bytes of the frame of the message `bytes[start..end]`, which is not empty. */
  measure(bytes: Buffer, start: number, end: number): number
  /** Writes the frame of the message that was measured last to `into[at..]`. @returns where it ends */
  write(into: Buffer, at: number, bytes: Buffer, start: number, end: number): number
}

const OCTET_COUNTED: Frames = {
  measure: (_bytes, start, end) => countBytes(end - start) + end - start,
  write: writeOctetCounted,
}

/** @param onEscaped a message is not sent as it stands in the spool, because its framing has no place for it */
export function framesOf(framing: SyslogFraming, onEscaped: () => void): Frames {
  return framing === 'lines' ? new LineFrames(onEscaped) : OCTET_COUNTED
}
