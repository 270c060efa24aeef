import * as fs from 'node:fs'

const PART_BYTES = 512 << 10

/** Writes what stands there again, so that the pages are dirty once more. The descriptor itself only appends, so another one is used. */
export function writeAgain(fd: number, from: number, to: number): void {
  const place = fs.openSync(`/proc/self/fd/${fd}`, fs.constants.O_RDWR)
  try {
    const bytes = Buffer.allocUnsafe(Math.min(PART_BYTES, to - from))
    for (let at = from; at < to; ) {
      const got = fs.readSync(place, bytes, 0, Math.min(bytes.length, to - at), at)
      if (got === 0) return
      for (let done = 0; done < got; ) done += fs.writeSync(place, bytes, done, got - done, at + done)
      at += got
    }
  } finally {
    fs.closeSync(place)
  }
}
