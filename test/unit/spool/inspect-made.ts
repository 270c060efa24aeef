// Real spools, made through Spool, and ways to damage them.

import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { nodeFiles } from '../../../core/base/files.ts'
import { CODEC_PLAIN, CODEC_ZSTD, type NewBatch } from '../../../core/spool/batch.ts'
import { BATCH_HEADROOM_BYTES, SEGMENT_HEADER_BYTES } from '../../../core/spool/constants.ts'
import { walkSegment, walkWindow } from '../../../core/spool/inspect-records.ts'
import { repairSpool } from '../../../core/spool/inspect-repair.ts'
import { type Damage, type Verified, verifySpool } from '../../../core/spool/inspect-verify.ts'
import { Spool } from '../../../core/spool/spool.ts'
import type { SpoolWorld } from '../../../core/spool/spool-options.ts'

export const HOST = 'web01.example.com'
/** 2026-01-01T00:00:00Z, and one second later for each record. */
export const START_US = Date.UTC(2026, 0, 1) * 1000

export interface Made {
  readonly directory: string
  readonly spool: Spool
}

export function temporary(t: ExecutionContext): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-inspect-'))
  t.teardown(() => {
    fs.rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

function worldOf(bootId: string): SpoolWorld {
  let now = START_US
  const fail = (what: unknown): never => {
    throw new Error(`The spool tells of ${JSON.stringify(what)}`)
  }
  const world = {
    files: nodeFiles,
    clock: {
      wallUs: () => {
        now += 1_000_000
        return now
      },
      monotonicMs: () => now / 1000,
    },
    bootId,
    // Damage is what these tests are about.
    onBadRecord: () => undefined,
    onSyncFailure: fail,
    onMiscount: fail,
  }
  return world
}

export function openSpool(directory: string, segmentBytes = 4096, bootId = 'boot-1'): Spool {
  return Spool.open({ directory, limitBytes: 2 ** 40, segmentBytes }, worldOf(bootId))
}

export interface Order {
  readonly origin?: string
  readonly codec?: number
}

/** Appends one batch. */
export function append(spool: Spool, messages: readonly (string | Buffer)[], { origin = HOST, codec = CODEC_PLAIN }: Order = {}): void {
  const plain = Buffer.concat(
    messages.flatMap((message) => {
      const bytes = Buffer.from(message as string)
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      return [length, bytes]
    }),
  )
  const payload = codec === CODEC_ZSTD ? zstdCompressSync(plain) : plain
  const bytes = Buffer.concat([Buffer.alloc(BATCH_HEADROOM_BYTES), payload])
  const batch: Omit<NewBatch, 'stream' | 'first'> = {
    origin,
    count: messages.length,
    plainBytes: plain.length,
    codec,
    receivedUs: START_US,
  }
  spool.appendBatch(bytes, BATCH_HEADROOM_BYTES, bytes.length, batch)
}

/** One RFC 5424 message. @param second of its time behind 2026-01-01T00:00:00Z */
export function message(number: number, text = '', second = number): string {
  return `<13>1 ${new Date(START_US / 1000 + second * 1000).toISOString()} ${HOST} app - - - ${number} ${text}`
}

/** 40 records of 5 messages in segments of 4 KiB, closed cleanly; the cursor `uplink` has got to the end of record `delivered`. */
export async function makeSpool(directory: string, delivered = 0, records = 40): Promise<void> {
  const spool = openSpool(directory)
  const attachment = spool.attach('uplink', false)
  for (let record = 0; record < records; record++)
    append(
      spool,
      [1, 2, 3, 4, 5].map((part) => message(record * 5 + part, 'x'.repeat(80))),
    )
  await spool.commit()
  const room = Buffer.alloc(8192)
  for (let done = 0; done < delivered; ) {
    const chunk = attachment.follower.read(room, 0)!
    const take = Math.min(chunk.heads.length, delivered - done)
    done += take
    attachment.acknowledge(chunk.positions[take - 1]!)
  }
  // Without the close's checkpoint nothing is freed here; a test of what is kept wants all of it.
  await spool.close()
}

export function segmentsOf(directory: string): string[] {
  return fs
    .readdirSync(path.join(directory, 'segments'))
    .sort()
    .map((name) => path.join(directory, 'segments', name))
}

/** Where each record of a segment begins and ends. */
export function recordsOf(file: string): Array<readonly [from: number, to: number]> {
  const fd = fs.openSync(file, 'r')
  const found: Array<readonly [number, number]> = []
  for (const step of walkSegment(nodeFiles, fd, SEGMENT_HEADER_BYTES, fs.fstatSync(fd).size, walkWindow()))
    if (step.kind === 'record') found.push([step.from, step.to])
  fs.closeSync(fd)
  return found
}

export function flip(file: string, offset: number): void {
  const bytes = fs.readFileSync(file)
  bytes[offset]! ^= 0x10
  fs.writeFileSync(file, bytes)
}

export interface Verdict extends Verified {
  readonly damages: readonly Damage[]
  readonly notes: readonly string[]
}

export async function verify(directory: string, isOpen: boolean | undefined = false, pause?: () => void): Promise<Verdict> {
  const damages: Damage[] = []
  const notes: string[] = []
  const verified = await verifySpool(directory, {
    files: nodeFiles,
    isOpen: () => isOpen,
    pause: async () => pause?.(),
    onDamage: (damage) => damages.push(damage),
    onNote: (note) => notes.push(note),
  })
  return { ...verified, damages, notes }
}

export function repair(directory: string, isDry = false): { done: string[]; left: string[] } {
  const done: string[] = []
  const left: string[] = []
  repairSpool(directory, { files: nodeFiles, isDry, onDone: (text) => done.push(text), onLeft: (text) => left.push(text) })
  return { done, left }
}

/** Bytes of everything in quarantine. */
export function keptBytes(directory: string): Buffer[] {
  const folder = path.join(directory, 'quarantine')
  if (!fs.existsSync(folder)) return []
  return fs
    .readdirSync(folder)
    .sort()
    .map((name) => fs.readFileSync(path.join(folder, name)))
}
