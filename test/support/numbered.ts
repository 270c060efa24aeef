// What became of the numbered messages that senders.ts has sent.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { CODEC_ZSTD, readRecord } from '../../core/spool/batch.ts'
import { SEGMENT_HEADER_BYTES } from '../../core/spool/constants.ts'

/** Numbers by sender, in the order in which they stand. */
export type Numbered = ReadonlyMap<string, readonly number[]>

function gather(texts: Iterable<string>, pattern: RegExp): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const text of texts) {
    const match = pattern.exec(text)
    if (match === null) continue
    const numbers = found.get(match[1]!)
    if (numbers === undefined) found.set(match[1]!, [Number(match[2])])
    else numbers.push(Number(match[2]))
  }
  return found
}

/** Of the lines of a file. */
export function filedNumbers(file: string): Numbered {
  return gather(fs.readFileSync(file, 'latin1').split('\n'), /^\S+ \S+ (s\d+)(?:\[\d+\])?: (\d+) x*$/)
}

/** The messages in a spool that no process has open; a torn end is passed over, as recovery does. */
export function spooledMessages(spool: string): string[] {
  const messages: string[] = []
  const segments = path.join(spool, 'segments')
  for (const name of fs.readdirSync(segments).sort()) {
    const bytes = fs.readFileSync(path.join(segments, name))
    for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; ) {
      const result = readRecord(bytes, at, bytes.length)
      if (result.kind !== 'record') break
      const { head } = result
      const packed = bytes.subarray(head.payloadStart, head.end)
      const payload = head.codec === CODEC_ZSTD ? zstdDecompressSync(packed) : packed
      for (let from = 0, index = 0; index < head.skip + head.take; index++) {
        const length = payload.readUInt32LE(from)
        if (index >= head.skip) messages.push(payload.toString('utf8', from + 4, from + 4 + length))
        from += 4 + length
      }
      at = head.end
    }
  }
  return messages
}

/** Of the messages in such a spool. */
export function spooledNumbers(spool: string): Numbered {
  return gather(spooledMessages(spool), / (s\d+) \S+ \S+ (?:\[[^\]]*\]|-) (\d+) x*$/)
}

/** The first place at which a sender's numbers do not rise: a line doubled or out of order; undefined when there is none. */
export function disorder(numbered: Numbered): string | undefined {
  for (const [sender, numbers] of numbered) {
    for (let index = 1; index < numbers.length; index++)
      if (numbers[index]! <= numbers[index - 1]!)
        return `${sender}: ${numbers[index]} stands behind ${numbers[index - 1]} (line ${index + 1} of it)`
  }
  return undefined
}

/** What of `wanted` is not in `found`, as a sentence; undefined when all is there. */
export function missing(wanted: Numbered, found: Numbered): string | undefined {
  for (const [sender, numbers] of wanted) {
    const there = new Set(found.get(sender))
    const lost = numbers.filter((number) => !there.has(number))
    if (lost.length > 0) return `${sender}: ${lost.length} of ${numbers.length} are missing, the first is ${lost[0]}`
  }
  return undefined
}

/** 1 to `count` for each sender. */
export function everyNumber(counts: readonly number[]): Numbered {
  return new Map(counts.map((count, index) => [`s${index + 1}`, Array.from({ length: count }, (_, number) => number + 1)]))
}

export function total(numbered: Numbered): number {
  let count = 0
  for (const numbers of numbered.values()) count += numbers.length
  return count
}
