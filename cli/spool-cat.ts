import { LoghopError } from '../core/base/errors.ts'
import { nodeFiles } from '../core/base/files.ts'
import type { RecordHead } from '../core/spool/batch.ts'
import { PAYLOAD_LIMIT_BYTES } from '../core/spool/constants.ts'
import { checkIsSpool, oldestPosition, segmentFiles } from '../core/spool/inspect.ts'
import { LINE_EXTRA_BYTES, LINE_GROWTH, TextLineFormatter } from '../core/syslog/text-line.ts'
import { EXIT_FAILED } from './daemon-commands.ts'
import { PAYLOAD_START, plainRecords } from './spool-messages.ts'
import { cursorPosition, parsePosition } from './spool-open.ts'
import { writeOut } from './spool-output.ts'

export interface CatFlags {
  readonly raw?: boolean
  readonly host?: string
  readonly since?: string
  readonly until?: string
  readonly after?: string
  readonly fromCursor?: string
}

const INPUT_BYTES = PAYLOAD_START + PAYLOAD_LIMIT_BYTES
// One message may be as large as a payload.
const OUTPUT_BYTES = LINE_GROWTH * PAYLOAD_LIMIT_BYTES + LINE_EXTRA_BYTES
const WRITE_BYTES = 256 << 10
const LF = 0x0a
const SPACE = 0x20
const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/
const HEADER_LOOK_BYTES = 48

/** Milliseconds since 1970 UTC. @throws {LoghopError} */
function parseTime(option: string, text: string): number {
  // Node reads a day alone as one in UTC; people mean their own.
  const ms = ISO_TIME.test(text) ? Date.parse(text.length === 10 ? `${text}T00:00` : text) : Number.NaN
  if (Number.isNaN(ms)) {
    throw new LoghopError(
      'USAGE',
      `Cannot use ${option} "${text}": it is no ISO 8601 time`,
      'Write it as 2026-11-23T02:50:00Z, 2026-11-23T02:50 or 2026-11-23',
    )
  }
  return ms
}

/** The time that the message bears, or that of receipt; milliseconds since 1970 UTC. */
function timeOf(memory: Buffer, start: number, end: number, head: RecordHead): number {
  const header = memory.subarray(start, Math.min(end, start + HEADER_LOOK_BYTES))
  const from = header.indexOf(SPACE) + 1
  const to = header.indexOf(SPACE, from)
  const ms = from > 0 && to > from ? Date.parse(header.toString('latin1', from, to)) : Number.NaN
  return Number.isNaN(ms) ? head.receivedUs / 1000 : ms
}

/** @throws {LoghopError} wrong options, no spool, or an output that cannot be written to */
export async function catSpool(directory: string, flags: CatFlags): Promise<void> {
  checkIsSpool(nodeFiles, directory)
  if (flags.after !== undefined && flags.fromCursor !== undefined)
    throw new LoghopError('USAGE', 'Cannot start at two places: both --after and --from-cursor are given', 'Give one of them')
  const since = flags.since === undefined ? undefined : parseTime('--since', flags.since)
  const until = flags.until === undefined ? undefined : parseTime('--until', flags.until)
  const host = flags.host?.toLowerCase()
  const cursor = flags.fromCursor === undefined ? undefined : cursorPosition(directory, flags.fromCursor)
  const segments = segmentFiles(nodeFiles, directory)
  const from = flags.after === undefined ? (cursor ?? oldestPosition(segments)) : parsePosition(flags.after, segments)

  const memory = Buffer.from(new ArrayBuffer(INPUT_BYTES + OUTPUT_BYTES))
  const formatter = new TextLineFormatter(new Uint8Array(memory.buffer))
  const isWanted = (head: RecordHead): boolean => host === undefined || head.origin === host
  let out = INPUT_BYTES
  const flush = async (): Promise<boolean> => {
    const isRead = out === INPUT_BYTES || (await writeOut(memory.subarray(INPUT_BYTES, out)))
    out = INPUT_BYTES
    return isRead
  }
  const onDamage = (): void => {
    process.exitCode = EXIT_FAILED
  }
  for (const { head, messages, payloadEnd } of plainRecords(directory, segments, from, isWanted, memory, onDamage)) {
    formatter.setOrigin(head.origin)
    formatter.newInput(payloadEnd)
    for (const [start, end] of messages) {
      if (since !== undefined || until !== undefined) {
        const time = timeOf(memory, start, end, head)
        if ((since !== undefined && time < since) || (until !== undefined && time >= until)) continue
      }
      const room = flags.raw === true ? end - start + 1 : LINE_GROWTH * (end - start) + LINE_EXTRA_BYTES
      if (out + room > memory.length && !(await flush())) return
      if (flags.raw === true) {
        memory.copyWithin(out, start, end)
        out += end - start
        memory[out++] = LF
      } else out = formatter.format(start, end, out)
      if (out - INPUT_BYTES >= WRITE_BYTES && !(await flush())) return
    }
  }
  await flush()
}
