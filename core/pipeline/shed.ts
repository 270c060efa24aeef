// What is let go while the spool fills up: the lowest severity first (RFC 5424 section 6.2.1: 7, debug, is the lowest).

const ALL_SEVERITIES = 7
/** Below this part of the limit that is free, messages of the severity and all lower ones are dropped. */
const FREE_WANTED: ReadonlyArray<readonly [free: number, severity: number]> = [
  [0, 0],
  [0.005, 2],
  [0.01, 3],
  [0.02, 4],
  [0.04, 5],
  [0.06, 6],
  [0.1, 7],
]

/** The least severe messages that are still taken, or -1 for none. */
export function takenSeverity(usedBytes: number, limitBytes: number): number {
  const free = 1 - usedBytes / limitBytes
  for (const [wanted, severity] of FREE_WANTED) if (free <= wanted) return severity - 1
  return ALL_SEVERITIES
}

function severityOf(bytes: Buffer, at: number): number {
  let pri = 0
  for (let index = at + 1; bytes[index] !== 0x3e && index < at + 4; index++) pri = pri * 10 + bytes[index]! - 0x30
  return pri & 7
}

/** Keeps in the payload at `start..end` only messages of at least that severity, closing the gaps. @returns its new end and how many were kept */
export function shed(bytes: Buffer, start: number, end: number, severity: number): { end: number; kept: number } {
  let to = start
  let kept = 0
  for (let at = start; at < end; ) {
    const next = at + 4 + bytes.readUInt32LE(at)
    if (severityOf(bytes, at + 4) <= severity) {
      bytes.copyWithin(to, at, next)
      to += next - at
      kept++
    }
    at = next
  }
  return { end: to, kept }
}
