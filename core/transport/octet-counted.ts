// Octet counting, RFC 5425 section 4.3.1 and RFC 6587 section 3.4.1: MSG-LEN SP SYSLOG-MSG

const SPACE = 0x20
const ZERO = 0x30

/** Bytes that `MSG-LEN SP` takes before a message of `length` bytes. */
export function countBytes(length: number): number {
  let digits = 1
  for (let rest = length; rest >= 10; rest = Math.floor(rest / 10)) digits++
  return digits + 1
}

/** Writes the message `bytes[start..end]`, not empty, as one frame to `into[at..]`. @returns where the frame ends */
export function writeOctetCounted(into: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  const length = end - start
  const messageAt = at + countBytes(length)
  into[messageAt - 1] = SPACE
  for (let rest = length, digit = messageAt - 2; digit >= at; digit--) {
    into[digit] = ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  bytes.copy(into, messageAt, start, end)
  return messageAt + length
}
